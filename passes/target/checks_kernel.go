package target

import (
	"math"
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// checkSignedActivation finds int8 pairs on computed tensors.
func checkSignedActivation(s *scope, n *graph.Node) {
	if quantized(n) == onnx.Int8 && constant(n.In(0)) == nil {
		s.at(n, "%s is quantized to int8", n.In(0).Name())
	}
}

// checkSignedConcat finds Concat and Split that read an int8 pair.
func checkSignedConcat(s *scope, n *graph.Node) {
	for _, v := range n.Ins() {
		if dq := activation(v); dq != nil && quantized(dq) == onnx.Int8 {
			s.at(n, "%s reads int8 activations", n.Op())
			return
		}
	}
}

// checkChannelPad finds pads of the channel axis of a quantized tensor whose zero is not code 0 of uint8.
func checkChannelPad(s *scope, n *graph.Node) {
	dq := activation(n.In(0))
	if dq == nil || !padsChannels(n) {
		return
	}
	if z, ok := zeroPoint(dq); !ok || z != 0 || quantized(dq) != onnx.Uint8 {
		s.at(n, "pads channels of %s tensor %s with zero point %d", quantized(dq), dq.In(0).Name(), z)
	}
}

// padsChannels says whether a Pad adds to axis 1; true when that is not known.
func padsChannels(n *graph.Node) bool {
	pads := n.Ints("pads", nil)
	if n.In(1) != nil {
		t := constant(n.In(1))
		if t == nil {
			return true
		}
		pads = integers(t)
	}
	half := len(pads) / 2
	if n.In(3) != nil {
		return true
	}
	return half > 1 && (pads[1] != 0 || pads[1+half] != 0)
}

// checkMeanPairNorm finds ReduceMean > pair with zero point 0 > BatchNormalization of rank 2.
func checkMeanPairNorm(s *scope, n *graph.Node) {
	dq := activation(n.In(0))
	q := quantizer(dq)
	if q == nil || rank(n.In(0)) > 2 || q.In(0) == nil || q.In(0).Def() == nil || !q.In(0).Def().Is("ReduceMean") {
		return
	}
	if z, ok := zeroPoint(dq); ok && z == 0 {
		s.at(n, "zero point 0 between ReduceMean and BatchNormalization")
	}
}

// checkTokenConcat finds an asymmetric pair behind a Concat of one element with others that feeds a MatMul.
func checkTokenConcat(s *scope, n *graph.Node) {
	single := slices.ContainsFunc(n.Ins(), func(v *graph.Value) bool {
		a := int(n.Int("axis", 0))
		if a < 0 {
			a += rank(v)
		}
		return a >= 0 && a < rank(v) && v.Shape().Dims[a].Value == 1
	})
	if !single || n.Out(0) == nil {
		return
	}
	for _, u := range n.Out(0).Uses() {
		if u.IsReturn() || !u.Node.Is("QuantizeLinear") {
			continue
		}
		if z, ok := zeroPoint(u.Node); ok && !middle(quantized(u.Node), z) && feedsMatMul(u.Node) {
			s.at(n, "asymmetric pair on a Concat of a single token, read by MatMul")
			return
		}
	}
}

// feedsMatMul says whether the dequantized form of what n quantizes is read by MatMul.
func feedsMatMul(q *graph.Node) bool {
	if q.Out(0) == nil {
		return false
	}
	for _, u := range q.Out(0).Uses() {
		if u.IsReturn() || u.Node.Out(0) == nil {
			continue
		}
		if slices.ContainsFunc(u.Node.Out(0).Uses(), func(r graph.Use) bool { return !r.IsReturn() && r.Node.Is("MatMul") }) {
			return true
		}
	}
	return false
}

// middle says whether z makes the type's codes symmetric.
func middle(t onnx.DataType, z int64) bool {
	return t == onnx.Int8 && z == 0 || t == onnx.Uint8 && z == 128
}

// checkSingleDequantize finds QuantizeLinear with several readers.
func checkSingleDequantize(s *scope, n *graph.Node) {
	if n.Out(0) != nil && n.Out(0).NumUses() > 1 {
		s.at(n, "%d readers of the quantized tensor", n.Out(0).NumUses())
	}
}

// checkSameParameters finds pairs whose halves differ.
func checkSameParameters(s *scope, n *graph.Node) {
	q := quantizer(n)
	if q == nil {
		return
	}
	if !slices.Equal(scales(q), scales(n)) || !slices.Equal(zeroPoints(q), zeroPoints(n)) {
		s.at(n, "scale or zero point differ from those of %s", q.Label())
	}
}

// checkWidePair finds 16-bit pairs on activations.
func checkWidePair(s *scope, n *graph.Node) {
	if t := quantized(n); t == onnx.Int16 || t == onnx.Uint16 {
		s.at(n, "%s pair", t)
	}
}

// checkTransposeSymmetric finds ConvTranspose behind an asymmetric pair.
func checkTransposeSymmetric(s *scope, n *graph.Node) {
	dq := activation(n.In(0))
	if dq == nil {
		return
	}
	if z, ok := zeroPoint(dq); ok && z != 0 && !middle(quantized(dq), z) {
		s.at(n, "activation with zero point %d", z)
	}
}

// checkPerChannelBeforeDense finds several scales on the activation of a layer that mixes channels.
func checkPerChannelBeforeDense(s *scope, n *graph.Node) {
	if dq := activation(n.In(0)); dq != nil && len(scales(dq)) > 1 && !depthwise(n) {
		s.at(n, "%d scales on the activation", len(scales(dq)))
	}
}

// checkWeightSymmetric finds weights that are not int8 with zero point 0.
func checkWeightSymmetric(s *scope, n *graph.Node) {
	dq := weight(n.In(1))
	if dq == nil || activation(n.In(0)) == nil {
		return
	}
	if z, ok := zeroPoint(dq); quantized(dq) != onnx.Int8 || !ok || z != 0 {
		s.at(n, "%s weight with zero point %d", quantized(dq), z)
	}
}

// checkHalfQuantized finds layers with an 8-bit activation and a constant float weight.
func checkHalfQuantized(s *scope, n *graph.Node) {
	if activation(n.In(0)) != nil && n.In(1) != nil && n.In(1).Const() != nil {
		s.at(n, "8-bit activation, float weight")
	}
}

// checkBlockedWithActivation finds blocked weights behind a quantized activation.
func checkBlockedWithActivation(s *scope, n *graph.Node) {
	if dq := weight(n.In(1)); dq != nil && dq.Int("block_size", 0) > 0 && activation(n.In(0)) != nil {
		s.at(n, "blocked weight and quantized activation")
	}
}

// checkMixedTypes finds layers of float8 with int8, and int4 convolution weights with quantized activations.
func checkMixedTypes(s *scope, n *graph.Node) {
	a, w := activation(n.In(0)), weight(n.In(1))
	if a == nil || w == nil {
		return
	}
	ta, tw := quantized(a), quantized(w)
	switch {
	case ta.IsFloat8() != tw.IsFloat8():
		s.at(n, "%s activation and %s weight", ta, tw)
	case tw == onnx.Int4 && n.Is("Conv", "ConvTranspose"):
		s.at(n, "int4 weight of a convolution with a quantized activation")
	}
}

// checkPairOnOutput finds graph outputs that a DequantizeLinear computes.
func checkPairOnOutput(s *scope) {
	for _, v := range s.model.Main.Outputs() {
		if activation(v) != nil {
			s.of(v, "the graph output is dequantized from 8 bits")
		}
	}
}

// checkFloatBetweenPairs finds operators without an 8-bit kernel between two pairs.
func checkFloatBetweenPairs(s *scope, n *graph.Node) {
	if n.Is(noKernel...) && activation(n.In(0)) != nil && feedsQuantizer(n.Out(0)) {
		s.at(n, "%s between two pairs", n.Op())
	}
}

// checkPairsEverywhere finds models in which (nearly) every computed float tensor is quantized.
func checkPairsEverywhere(s *scope) {
	var computed, paired int
	for n := range s.model.All() {
		out := n.Out(0)
		if n.Is(qdq...) || n.Is("Constant") || out == nil || out.Elem() != onnx.Float {
			continue
		}
		computed++
		if feedsQuantizer(out) {
			paired++
		}
	}
	if paired >= 20 && paired*20 >= computed*19 {
		s.report(Finding{Message: sprintf("%d of %d computed tensors carry a pair", paired, computed)})
	}
}

// checkConvOutput finds 8-bit convolutions whose output, after a fused activation, is not quantized.
func checkConvOutput(s *scope, n *graph.Node) {
	if activation(n.In(0)) == nil || weight(n.In(1)) == nil {
		return
	}
	out := n.Out(0)
	if next := soleReader(out); next != nil && s.profile.Fuses(next.Op()) {
		out = next.Out(0)
	}
	if q := soleReader(out); q == nil || !q.Is("QuantizeLinear") {
		s.at(n, "the output is not quantized")
	}
}

// checkReluZeroPoint finds pairs behind Relu or Clip of an 8-bit convolution whose zero point is not the least code.
func checkReluZeroPoint(s *scope, n *graph.Node) {
	act := n.In(0).Def()
	if act == nil || !act.Is("Relu", "Clip") || act.In(0) == nil {
		return
	}
	conv := act.In(0).Def()
	if conv == nil || !conv.Is("Conv", "Add", "Gemm", "MatMul") || activation(conv.In(0)) == nil {
		return
	}
	if z, ok := zeroPoint(n); ok && !leastCode(quantized(n), z) && (act.Is("Relu") || clipsAtZero(act)) {
		s.at(n, "zero point %d behind %s", z, act.Op())
	}
}

// clipsAtZero says whether the lower bound of a Clip is 0.
func clipsAtZero(n *graph.Node) bool {
	if n.In(1) == nil {
		return n.Float("min", float32(math.Inf(-1))) == 0
	}
	t := constant(n.In(1))
	if t == nil {
		return false
	}
	f := floats(t)
	return len(f) == 1 && f[0] == 0
}

func leastCode(t onnx.DataType, z int64) bool {
	return t == onnx.Uint8 && z == 0 || t == onnx.Int8 && z == -128
}

// checkOneSided finds additions of two computed tensors of which some inputs or the output are quantized, but not all.
func checkOneSided(s *scope, n *graph.Node) {
	if n.In(0) == nil || n.In(1) == nil || n.In(0).Const() != nil || n.In(1).Const() != nil {
		return
	}
	a, b := activation(n.In(0)) != nil, activation(n.In(1)) != nil
	switch {
	case a != b:
		s.at(n, "only one input is quantized")
	case a && b && !quantizedAfter(s.profile, n):
		s.at(n, "both inputs are quantized, the output is not")
	}
}

// quantizedAfter says whether the output, possibly behind a fused activation, is quantized.
func quantizedAfter(p *Profile, n *graph.Node) bool {
	if feedsQuantizer(n.Out(0)) {
		return true
	}
	next := soleReader(n.Out(0))
	return next != nil && p.Fuses(next.Op()) && feedsQuantizer(next.Out(0))
}

// checkSharedInt8 finds int8 tensors with several readers behind the pair.
func checkSharedInt8(s *scope, n *graph.Node) {
	if quantized(n) != onnx.Int8 || constant(n.In(0)) != nil {
		return
	}
	readers := 0
	for _, u := range n.Out(0).Uses() {
		if !u.IsReturn() && u.Node.Out(0) != nil {
			readers += u.Node.Out(0).NumUses()
		}
	}
	if readers > 1 {
		s.at(n, "int8 tensor %s has %d readers", n.In(0).Name(), readers)
	}
}

// checkPerChannelAfterConv finds several scales on the output of a convolution.
func checkPerChannelAfterConv(s *scope, n *graph.Node) {
	if d := n.In(0).Def(); d != nil && d.Is("Conv") && len(scales(n)) > 1 {
		s.at(n, "%d scales on the output of %s", len(scales(n)), d.Label())
	}
}

// checkWeightOnlyConv finds convolutions of which only the weight is quantized.
func checkWeightOnlyConv(s *scope, n *graph.Node) {
	if weight(n.In(1)) != nil && activation(n.In(0)) == nil {
		s.at(n, "8-bit weight, float activation")
	}
}

// checkUnpacked finds float products whose stored matrix the runtime dequantizes at every run.
func checkUnpacked(s *scope, n *graph.Node) {
	dq := weight(n.In(1))
	if dq == nil || activation(n.In(0)) != nil {
		return
	}
	block := dq.Int("block_size", 0)
	switch {
	case n.Int("transB", 0) != 0:
		s.at(n, "a weight that is read transposed")
	case dq.Out(0).NumUses() > 1 || dq.In(0).NumUses() > 1:
		s.at(n, "a weight that several layers read")
	case block > 0 && (block < 16 || block&(block-1) != 0):
		s.at(n, "blocks of %d", block)
	}
}

// neverFused are operators that ONNX Runtime has no 8-bit kernel for.
var neverFused = []string{"ConvTranspose", "ReduceMean", "Gelu", "LayerNormalization", "HardSwish", "Tanh", "Relu"}

// checkNeverFused finds such operators between pairs.
func checkNeverFused(s *scope, n *graph.Node) {
	if n.Is(neverFused...) && activation(n.In(0)) != nil && feedsQuantizer(n.Out(0)) {
		s.at(n, "%s between two pairs stays in float", n.Op())
	}
}

// checkMovementScales finds data movement between pairs of different parameters.
func checkMovementScales(s *scope, n *graph.Node) {
	dq := activation(n.In(0))
	if dq == nil || n.Domain() != "" || !s.profile.Moves(n.Op()) || n.Out(0) == nil || n.Is("Resize") && n.String("mode", "nearest") != "nearest" {
		return
	}
	for _, u := range n.Out(0).Uses() {
		if u.IsReturn() || !u.Node.Is("QuantizeLinear") {
			continue
		}
		if !slices.Equal(scales(dq), scales(u.Node)) || !slices.Equal(zeroPoints(dq), zeroPoints(u.Node)) {
			s.at(n, "different scale or zero point before and after %s", n.Op())
		}
	}
}

// checkPoolPerChannel finds pooling between pairs with several scales.
func checkPoolPerChannel(s *scope, n *graph.Node) {
	if dq := activation(n.In(0)); dq != nil && len(scales(dq)) > 1 && feedsQuantizer(n.Out(0)) {
		s.at(n, "%d scales on the input", len(scales(dq)))
	}
}

// checkTensorRTAttributes finds attribute values that the parser refuses.
func checkTensorRTAttributes(s *scope, n *graph.Node) {
	switch {
	case n.Is("MaxPool", "AveragePool", "LpPool") && slices.ContainsFunc(n.Ints("dilations", nil), func(d int64) bool { return d != 1 }):
		s.at(n, "pooling with dilations")
	case n.Is("MaxPool") && n.Out(1) != nil:
		s.at(n, "MaxPool with Indices")
	case n.Is("LayerNormalization") && (n.Out(1) != nil || n.Out(2) != nil):
		s.at(n, "LayerNormalization with more than one output")
	case isReduce(n) && n.In(1) != nil && constant(n.In(1)) == nil:
		s.at(n, "axes of %s are computed", n.Op())
	case n.Is("Resize") && (n.Int("antialias", 0) != 0 || n.String("keep_aspect_ratio_policy", "stretch") != "stretch"):
		s.at(n, "Resize with antialias or another aspect ratio policy")
	case n.Is("TopK") && topK(n) > 3840:
		s.at(n, "K of TopK is %d", topK(n))
	case n.Is("ScatterND") && n.String("reduction", "none") != "none":
		s.at(n, "ScatterND with reduction %s", n.String("reduction", ""))
	case n.Is("Dropout") && trains(n):
		s.at(n, "Dropout in training mode")
	case n.Is("If"):
		checkBranchNames(s, n)
	}
}

func isReduce(n *graph.Node) bool {
	return n.Domain() == "" && len(n.Op()) > 6 && n.Op()[:6] == "Reduce"
}

// topK is the constant K of a TopK, or 0.
func topK(n *graph.Node) int64 {
	if n.In(1) == nil {
		return n.Int("k", 0)
	}
	if t := constant(n.In(1)); t != nil {
		if v := integers(t); len(v) == 1 {
			return v[0]
		}
	}
	return 0
}

// trains says whether the training_mode input of a Dropout is constant true.
func trains(n *graph.Node) bool {
	if n.In(2) == nil {
		return false
	}
	t := constant(n.In(2))
	return t != nil && trueAnywhere(t)
}

// checkBranchNames finds If nodes whose branches name their outputs alike.
func checkBranchNames(s *scope, n *graph.Node) {
	then, other := n.Subgraph("then_branch"), n.Subgraph("else_branch")
	if then == nil || other == nil {
		return
	}
	for i := range then.Outputs() {
		if i < len(other.Outputs()) && then.OutputName(i) == other.OutputName(i) {
			s.at(n, "both branches name an output %s", then.OutputName(i))
			return
		}
	}
}

// checkGemmBias finds 8-bit Gemm with a float bias and a float output.
func checkGemmBias(s *scope, n *graph.Node) {
	if activation(n.In(0)) == nil || weight(n.In(1)) == nil || n.In(2) == nil || feedsQuantizer(n.Out(0)) {
		return
	}
	if dq := dequantizer(n.In(2)); dq == nil || quantized(dq) != onnx.Int32 {
		s.at(n, "float bias and float output")
	}
}

// checkSharedZeroPoint finds initializers that are the zero point of several weights, one of them of a matrix product.
func checkSharedZeroPoint(s *scope) {
	weights := map[*graph.Value]*graph.Node{}
	for n := range s.model.All() {
		if !n.Is("Gemm", "MatMul") {
			continue
		}
		dq := weight(n.In(1))
		if dq == nil || dq.In(2) == nil || activation(n.In(0)) == nil {
			continue
		}
		if other := weights[dq.In(2)]; other != nil && other != dq {
			s.at(n, "zero point %s serves several weights", dq.In(2).Name())
		}
		weights[dq.In(2)] = dq
	}
}

// checkFloatWeight finds layers with a float weight that read a dequantized tensor of one scale.
func checkFloatWeight(s *scope, n *graph.Node) {
	dq, w := dequantizer(n.In(0)), constant(n.In(1))
	if dq == nil || w == nil || w.Type != onnx.Float || dq.In(1) == nil {
		return
	}
	if scale := constant(dq.In(1)); scale != nil && len(scale.Dims) == 0 || scale != nil && len(scale.Dims) == 1 && scale.Dims[0] == 1 {
		s.at(n, "float weight behind DequantizeLinear")
	}
}
