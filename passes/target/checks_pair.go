package target

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

var sprintf = fmt.Sprintf

// checkUnsignedPair finds uint8 pairs.
func checkUnsignedPair(s *scope, n *graph.Node) {
	if quantized(n) != onnx.Uint8 || n.In(2) == nil && n.Op() == "QuantizeLinear" {
		return // an absent zero point is the business of T21
	}
	if z, ok := zeroPoint(n); ok && z == 0 {
		s.at(n, "uint8 with zero point 0 is imported as int8")
		return
	}
	s.at(n, "uint8 with a zero point other than 0")
}

// checkZeroPointPresent finds pairs without a zero point or output_dtype. The
// codes of a constant have a type that nobody has to guess.
func checkZeroPointPresent(s *scope, n *graph.Node) {
	stored := n.Is("DequantizeLinear") && constant(n.In(0)) != nil
	if !stored && n.In(2) == nil && n.Int("output_dtype", 0) == 0 {
		s.at(n, "no zero point")
	}
}

// checkZeroPointZero finds zero points that are computed, not all 0, or of another length than the scale.
func checkZeroPointZero(s *scope, n *graph.Node) {
	if n.In(2) == nil || quantized(n).IsFloat() {
		return
	}
	t := constant(n.In(2))
	if t == nil {
		s.at(n, "the zero point is computed")
		return
	}
	z := integers(t)
	if slices.ContainsFunc(z, func(v int64) bool { return v != 0 }) {
		s.at(n, "zero point other than 0")
	}
	if sc := scales(n); z != nil && sc != nil && len(z) != len(sc) {
		s.at(n, "%d zero points for %d scales", len(z), len(sc))
	}
}

// checkScalePositive finds scales that are computed, of another type, or not above 0.
func checkScalePositive(s *scope, n *graph.Node) {
	t := constant(n.In(1))
	switch {
	case t == nil:
		s.at(n, "the scale is computed")
	case t.Type != onnx.Float && t.Type != onnx.Float16 && t.Type != onnx.BFloat16:
		s.at(n, "scale of type %s", t.Type)
	default:
		if i := slices.IndexFunc(floats(t), func(x float32) bool { return !(x > 0) }); i >= 0 {
			s.at(n, "scale %d is %g", i, floats(t)[i])
		}
	}
}

// checkScaleFinite finds scales that are not finite and positive.
func checkScaleFinite(s *scope, n *graph.Node) {
	for i, x := range scales(n) {
		if !(x > 0) || math.IsInf(float64(x), 0) {
			s.at(n, "scale %d is %g", i, x)
			return
		}
	}
}

// checkScaleShape finds scales that fit neither the tensor, nor one axis, nor blocks of one dimension.
func checkScaleShape(s *scope, n *graph.Node) {
	t := constant(n.In(1))
	if t == nil || n.In(0) == nil || !n.In(0).Shape().Ranked {
		return
	}
	dims := n.In(0).Shape().Dims
	switch count := elements(t.Dims); {
	case count == 1:
	case len(t.Dims) == 1:
		a := axis(n)
		if a < 0 || a >= len(dims) || dims[a].Value >= 0 && dims[a].Value != count {
			s.at(n, "%d scales for axis %d of %s", count, a, n.In(0).Name())
		}
	case len(t.Dims) != len(dims) || !blocked(t.Dims, dims):
		s.at(n, "scale of shape %v", t.Dims)
	}
}

// blocked says whether exactly one dimension of the data is cut into equal blocks of at least 2.
func blocked(scale []int64, dims []graph.Dim) bool {
	cuts := 0
	for i, d := range dims {
		switch {
		case d.Value < 0 || d.Value == scale[i]:
		case scale[i] > 0 && d.Value%scale[i] == 0 && d.Value/scale[i] >= 2:
			cuts++
		default:
			return false
		}
	}
	return cuts == 1
}

func elements(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// checkAxisWritten finds scales per channel that rely on the default axis.
func checkAxisWritten(s *scope, n *graph.Node) {
	if len(scales(n)) > 1 && n.Attr("axis") == nil {
		s.at(n, "several scales and no axis attribute")
	}
}

// checkPerChannelActivation finds computed tensors with more than one scale.
func checkPerChannelActivation(s *scope, n *graph.Node) {
	if len(scales(n)) > 1 && constant(n.In(0)) == nil {
		s.at(n, "%d scales on the activation %s", len(scales(n)), n.In(0).Name())
	}
}

// checkWeightAxis finds weights with scales along another axis than the output channels.
func checkWeightAxis(s *scope, n *graph.Node) {
	dq := weight(n.In(1))
	if dq == nil || activation(n.In(0)) == nil || len(scales(dq)) < 2 || rank(dq.In(0)) < 0 {
		return // with a float activation the product is computed in float anyway
	}
	if want := WeightAxis(n, rank(dq.In(0))); want >= 0 && axis(dq) != want {
		s.at(n, "weight scales along axis %d, %s wants %d", axis(dq), n.Op(), want)
	}
}

// checkLayerTypes finds 8-bit layers whose activation, weight and bias are dequantized to different float types.
func checkLayerTypes(s *scope, n *graph.Node) {
	if activation(n.In(0)) == nil && weight(n.In(1)) == nil {
		return
	}
	first := onnx.Undefined
	for _, v := range n.Ins() {
		if v == nil || v.Elem() == onnx.Undefined {
			continue
		}
		if first == onnx.Undefined {
			first = v.Elem()
		}
		if v.Elem() != first {
			s.at(n, "%s is %s, the first input %s", v.Name(), v.Elem(), first)
			return
		}
	}
}

// checkScalarData finds pairs on scalars.
func checkScalarData(s *scope, n *graph.Node) {
	if rank(n.In(0)) == 0 {
		s.at(n, "%s is a scalar", n.In(0).Name())
	}
}

// checkInt32DQ finds DequantizeLinear of int32.
func checkInt32DQ(s *scope, n *graph.Node) {
	if quantized(n) == onnx.Int32 {
		s.at(n, "DequantizeLinear of int32 (%s)", n.In(0).Name())
	}
}

// checkStackedPairs finds a tensor with several QuantizeLinear of different scales, and pairs on pairs.
func checkStackedPairs(s *scope, n *graph.Node) {
	if dq := dequantizer(n.In(0)); dq != nil && !isWeight(dq) && !slices.Equal(scales(dq), scales(n)) {
		s.at(n, "pair directly behind another pair with a different scale")
	}
	if n.In(0) == nil {
		return
	}
	for _, u := range n.In(0).Uses() {
		if u.IsReturn() || !u.Node.Is("QuantizeLinear") || u.Node == n {
			continue
		}
		s.at(n, "%s has more than one QuantizeLinear", n.In(0).Name())
		return
	}
}

// checkPairNames finds Q/DQ nodes named like another node or an initializer.
func checkPairNames(s *scope) {
	count := map[string]int{}
	for n := range s.model.All() {
		count[n.Name()]++
	}
	for g := range s.model.Graphs() {
		for _, v := range g.Initializers() {
			count[v.Name()]++
		}
	}
	for n := range s.model.All() {
		if n.Is(qdq...) && n.Name() != "" && count[n.Name()] > 1 {
			s.at(n, "the name %s is used more than once", n.Name())
		}
	}
}

// checkPairOpset finds pairs that need a later version of the operator.
func checkPairOpset(s *scope, n *graph.Node) {
	v := n.Version()
	need, why := pairOpset(n)
	if v != 0 && v < need {
		s.at(n, "opset %d, %s needs %d", v, why, need)
	}
}

// pairOpset is the least opset of a Q/DQ node and what asks for it.
func pairOpset(n *graph.Node) (int64, string) {
	elem, need, why := quantized(n), int64(10), n.Op()
	raise := func(v int64, reason string) {
		if v > need {
			need, why = v, reason
		}
	}
	if len(scales(n)) > 1 || n.Attr("axis") != nil {
		raise(13, "a scale per channel")
	}
	if sc := n.In(1); sc != nil && (sc.Elem() == onnx.Float16 || sc.Elem() == onnx.BFloat16) {
		raise(19, "a "+sc.Elem().String()+" scale")
	}
	if elem.IsFloat8() {
		raise(19, elem.String())
	}
	if elem == onnx.Int16 || elem == onnx.Uint16 || elem == onnx.Int4 || elem == onnx.Uint4 {
		raise(21, elem.String())
	}
	if n.Int("block_size", 0) > 0 {
		raise(21, "block_size")
	}
	return need, why
}

// checkZeroPointShape finds zero points that differ from the scale in shape or from the data in type.
func checkZeroPointShape(s *scope, n *graph.Node) {
	z := n.In(2)
	if z == nil {
		return
	}
	if sc, zt := constant(n.In(1)), constant(z); sc != nil && zt != nil && elements(sc.Dims) != elements(zt.Dims) {
		s.at(n, "%d scales and %d zero points", elements(sc.Dims), elements(zt.Dims))
	}
	if n.Op() == "DequantizeLinear" && n.In(0) != nil && n.In(0).Elem() != onnx.Undefined && z.Elem() != onnx.Undefined && n.In(0).Elem() != z.Elem() {
		s.at(n, "data is %s, zero point %s", n.In(0).Elem(), z.Elem())
	}
}

// checkZeroPointInteger finds QuantizeLinear to other types than 4- to 16-bit integers.
func checkZeroPointInteger(s *scope, n *graph.Node) {
	if t := quantized(n); !t.IsInteger() || t.Bits() > 16 {
		s.at(n, "quantizes to %s", t)
	}
}

// checkScaleFloat finds scales other than float32.
func checkScaleFloat(s *scope, n *graph.Node) {
	if v := n.In(1); v != nil && v.Elem() != onnx.Undefined && v.Elem() != onnx.Float {
		s.at(n, "scale of type %s", v.Elem())
	}
}

// checkDequantizeRank finds unknown ranks and scales that do not fit their axis.
func checkDequantizeRank(s *scope, n *graph.Node) {
	if rank(n.In(0)) < 0 {
		s.at(n, "the rank of %s is not known", n.In(0).Name())
		return
	}
	if n.Int("block_size", 0) == 0 {
		checkScaleShape(s, n)
	}
}

// checkBlocked finds blocked weights that only newer versions read.
func checkBlocked(s *scope, n *graph.Node) {
	size := n.Int("block_size", 0)
	if size == 0 {
		return
	}
	if rank(n.In(0)) != 2 || axis(n) != 0 {
		s.at(n, "blocks along axis %d of a tensor of rank %d", axis(n), rank(n.In(0)))
		return
	}
	if d := n.In(0).Shape().Dims[0].Value; d < 0 || d%size != 0 {
		s.at(n, "dimension %d is no multiple of the block %d", d, size)
	}
}
