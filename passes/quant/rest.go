package quant

import (
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
)

// The choices of Options.Rest.
const (
	RestAuto     = "auto"
	RestFloat32  = "float32"
	RestFloat16  = "float16"
	RestBFloat16 = "bfloat16"
)

// follow is the pass that converts what quant leaves in float32.
func follow(o any, t *target.Profile) []string {
	switch restOf(o, t) {
	case onnx.Float16:
		return []string{"fp16", "bf16"}
	case onnx.BFloat16:
		return []string{"bf16", "fp16"}
	}
	return nil
}

// restOf is the element type that the float part of the model gets.
func restOf(o any, t *target.Profile) onnx.DataType {
	switch o.(Options).Rest {
	case RestFloat16:
		return onnx.Float16
	case RestBFloat16:
		return onnx.BFloat16
	case RestAuto:
		return t.Quant.Rest
	}
	return onnx.Float
}

// restOpset is the first opset in which a pair has 16-bit scales, where the rest has them.
func restOpset(o any, t *target.Profile) int64 {
	if elementOf(o.(Options).Format).IsFloat8() {
		return float8Opset
	}
	if t != nil && t.Float16.Scales && restOf(o, t) != onnx.Float {
		return 19
	}
	return 0
}

// restsOn16 says whether what stays float becomes 16-bit.
func (p *planner) restsOn16() bool { return restOf(p.opt, p.profile) != onnx.Float }
