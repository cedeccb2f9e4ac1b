// Package all is the collection of every pass, with the order constraints
// between them.
package all

import (
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/opset"
	"github.com/onnxpass/onnxpass/passes/quant"
)

// Passes are all passes, in the order in which help lists them.
var Passes = []passes.Pass{
	opset.Pass,
	quant.Pass,
}

// Order says which pass must precede which, beyond the phases, and why.
var Order = []passes.Order{}

// Set is Passes with Order.
func Set() passes.Set { return passes.Set{Passes: Passes, Order: Order} }
