package target

import (
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// checkElements finds initializers of a type that is not in the profile's list.
func checkElements(s *scope) {
	eachConst(func(s *scope, v *graph.Value, t *onnx.Tensor) {
		if !slices.Contains(s.profile.File.Elements, t.Type) {
			s.of(v, "element type %s is not read", t.Type)
		}
	})(s)
}

// checkDouble finds float64 initializers and inputs.
func checkDouble(s *scope) {
	eachConst(func(s *scope, v *graph.Value, t *onnx.Tensor) {
		if t.Type == onnx.Double {
			s.of(v, "float64 initializer")
		}
	})(s)
	for _, v := range s.model.Main.Inputs() {
		if v.Elem() == onnx.Double && v.Const() == nil {
			s.of(v, "float64 input")
		}
	}
}

// checkRank finds constants of more than 8 dimensions.
func checkRank(s *scope, v *graph.Value, t *onnx.Tensor) {
	if len(t.Dims) > 8 {
		s.of(v, "%d dimensions", len(t.Dims))
	}
}

// checkEmpty finds constants of shape [0].
func checkEmpty(s *scope, v *graph.Value, t *onnx.Tensor) {
	if len(t.Dims) == 1 && t.Dims[0] == 0 && !ignored(v) {
		s.of(v, "shape [0] is read as a scalar")
	}
}

// ignored says whether all readers are inputs of Resize that do not count when they are empty (roi, scales).
func ignored(v *graph.Value) bool {
	return !slices.ContainsFunc(v.Uses(), func(u graph.Use) bool {
		return u.IsReturn() || !u.Node.Is("Resize") || u.Index != 1 && u.Index != 2
	})
}

// checkInt4Even finds 4-bit constants with an odd number of elements.
func checkInt4Even(s *scope, v *graph.Value, t *onnx.Tensor) {
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	if t.Type == onnx.Int4 && n%2 != 0 {
		s.of(v, "int4 tensor of %d elements", n)
	}
}

// checkOpset compares opset and IR version with the range of the profile.
func checkOpset(s *scope) {
	f, v := s.profile.File, s.model.Opset("")
	if v != 0 && (v < f.OpsetMin || v > f.OpsetMax) {
		s.report(Finding{Message: sprintf("opset %d, known are %d to %d", v, f.OpsetMin, f.OpsetMax)})
	}
	if ir := s.model.Header.IRVersion; f.IRMax > 0 && ir > f.IRMax {
		s.report(Finding{Message: sprintf("IR version %d, known are those up to %d", ir, f.IRMax)})
	}
}

// checkOpsetAdvice is checkOpset for a reader that copes with newer operators.
func checkOpsetAdvice(s *scope) {
	if v := s.model.Opset(""); v > s.profile.File.OpsetMax {
		s.report(Finding{Message: sprintf("opset %d is newer than %d", v, s.profile.File.OpsetMax)})
	}
}

// checkForbidden finds operators that the reader refuses, and operators of
// vendor domains other than com.microsoft that are no model-local functions.
func checkForbidden(s *scope) {
	for n := range s.model.All() {
		switch {
		case n.Domain() == "" && slices.Contains(s.profile.File.Forbidden, n.Op()):
			s.at(n, "operator %s is refused", n.Op())
		case n.Domain() != "" && !isFunction(s.model, n) && unknownVendorOp(n):
			s.at(n, "operator %s of domain %s is refused unless a plugin provides it", n.Op(), n.Domain())
		}
	}
}

// unknownVendorOp says whether TensorRT cannot map the operator: it ignores
// com.microsoft and looks for an ONNX operator of the same name.
func unknownVendorOp(n *graph.Node) bool {
	if n.Domain() == "com.microsoft" {
		return !slices.Contains([]string{"Gelu", "QuantizeLinear", "DequantizeLinear"}, n.Op())
	}
	return n.Domain() != "trt.plugins"
}

// isFunction says whether a model-local function implements the node.
func isFunction(m *graph.Model, n *graph.Node) bool {
	return slices.ContainsFunc(m.Functions, func(f *graph.Function) bool {
		return f.Proto.Name == n.Op() && f.Proto.Domain == n.Domain()
	})
}

// checkMicrosoft finds com.microsoft operators.
func checkMicrosoft(s *scope, n *graph.Node) {
	if n.Domain() == "com.microsoft" {
		s.at(n, "operator %s of domain com.microsoft", n.Op())
	}
}

// checkReservedName finds operators whose name is reserved for plugins.
func checkReservedName(s *scope, n *graph.Node) {
	if strings.HasPrefix(n.Op(), "TRT_") {
		s.at(n, "operator name %s begins with TRT_", n.Op())
	}
}

// checkCastTarget finds casts to types that the reader has no cast for. Casts
// that write a graph output may also be to uint8.
func checkCastTarget(s *scope, n *graph.Node) {
	to := onnx.DataType(n.Int("to", 0))
	if to == onnx.Undefined || slices.Contains(castTargets, to) || to == onnx.Uint8 && readByReturn(n.Out(0)) {
		return
	}
	s.at(n, "cast to %s", to)
}

// checkUint8Inside finds uint8 tensors that a node other than QuantizeLinear computes inside the graph.
func checkUint8Inside(s *scope) {
	for n := range s.model.All() {
		if n.Is("QuantizeLinear") {
			continue
		}
		for _, v := range n.Outs() {
			switch {
			case v == nil || v.Elem() != onnx.Uint8 || readByReturn(v):
			case n.Is("Constant"):
				s.of(v, "uint8 in a Constant node: make it an initializer")
			default:
				s.of(v, "uint8 computed by %s inside the graph", n.Op())
			}
		}
	}
}

// quantizedTypes may only exist between the nodes of a pair.
var quantizedTypes = []onnx.DataType{onnx.Int8, onnx.Int4, onnx.Float8E4M3FN, onnx.Float4E2M1}

// checkQuantizedTypesInside finds operators other than Q/DQ that read a quantized type.
func checkQuantizedTypesInside(s *scope) {
	for n := range s.model.All() {
		if n.Is(qdq...) || n.Domain() == "com.microsoft" && slices.Contains(qdq, n.Op()) {
			continue
		}
		for _, v := range n.Ins() {
			if v != nil && slices.Contains(quantizedTypes, v.Elem()) {
				s.at(n, "%s reads %s as %s", n.Op(), v.Name(), v.Elem())
			}
		}
	}
}

// checkUnusedInit finds initializers that nothing reads.
func checkUnusedInit(s *scope) {
	for g := range s.model.Graphs() {
		for _, v := range g.Initializers() {
			if v.NumUses() == 0 && !v.IsInput() {
				s.of(v, "initializer without a reader")
			}
		}
	}
}

// checkHalfRest finds float16 tensors in a model that also has pairs.
func checkHalfRest(s *scope) {
	var half *graph.Value
	pairs := false
	for n := range s.model.All() {
		pairs = pairs || n.Is("QuantizeLinear")
		if out := n.Out(0); half == nil && out != nil && out.Elem() == onnx.Float16 {
			half = out
		}
	}
	if pairs && half != nil {
		s.of(half, "float16 tensors in an 8-bit model")
	}
}

// readByReturn says whether v is a graph output.
func readByReturn(v *graph.Value) bool {
	return v != nil && slices.ContainsFunc(v.Uses(), graph.Use.IsReturn)
}
