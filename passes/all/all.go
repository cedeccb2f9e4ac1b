// Package all is the collection of every pass, with the order constraints
// between them.
package all

import (
	"slices"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/cleanup"
	"github.com/onnxpass/onnxpass/passes/codebook"
	"github.com/onnxpass/onnxpass/passes/equalize"
	"github.com/onnxpass/onnxpass/passes/mixed"
	"github.com/onnxpass/onnxpass/passes/opset"
	"github.com/onnxpass/onnxpass/passes/precision"
	"github.com/onnxpass/onnxpass/passes/prune"
	"github.com/onnxpass/onnxpass/passes/quant"
	"github.com/onnxpass/onnxpass/passes/woq"
)

// Passes are all passes, in the order in which help lists them.
var Passes = slices.Concat(
	[]passes.Pass{opset.Pass},
	cleanup.Passes,
	[]passes.Pass{prune.Pass, equalize.Pass, quant.Pass},
	codebook.Passes,
	[]passes.Pass{woq.Pass, precision.FP16, precision.BF16, precision.Storage, mixed.Pass},
)

// Order says which pass must precede which, beyond the phases, and why.
var Order = []passes.Order{
	{Before: "opset", After: "cleanup", Why: "adapters of old operators leave constants and no-ops behind"},
	{Before: "opset", After: "fold", Why: "what adapters compute from constants can be folded"},
	{Before: "opset", After: "fold-bn", Why: "scales of old operators become foldable when they are raised"},
	{Before: "quant", After: "fp16", Why: "quant works on float32, and what it leaves in float is converted"},
	{Before: "quant", After: "bf16", Why: "quant works on float32, and what it leaves in float is converted"},
	{Before: "woq", After: "fp16", Why: "woq works on float32 weights, and the rest is converted"},
	{Before: "woq", After: "bf16", Why: "woq works on float32 weights, and the rest is converted"},
	{Before: "woq", After: "fp16-storage", Why: "woq stores weights in fewer bits first"},
	{Before: "quant", After: "fp16-storage", Why: "quant stores weights in 8 bits first"},
}

// Set is Passes with Order.
func Set() passes.Set { return passes.Set{Passes: Passes, Order: Order} }
