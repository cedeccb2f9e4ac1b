package axes

import "github.com/onnxpass/onnxpass/graph"

// key names an operator; domain "" is ai.onnx.
type key struct{ domain, op string }

// rule is what the analysis knows of one operator.
type rule struct {
	// relate states which atoms of the node's operands belong together. Axes
	// that it does not speak of are frozen, with the text that it returns or a general one.
	relate func(w *walk) string
	// fix changes the attributes and constants of the node that state sizes or
	// positions; nil when there are none. Weights are cut without it.
	fix func(c *cut, n *graph.Node) error
}

const microsoft = "com.microsoft"

// table holds the rule of every operator that is followed.
var table = buildTable()

func buildTable() map[key]rule {
	t := map[key]rule{}
	add := func(r rule, ops ...string) {
		for _, op := range ops {
			t[key{"", op}] = r
		}
	}
	add(rule{relate: conv, fix: fixGroups}, "Conv", "DeformConv")
	add(rule{relate: convTranspose, fix: fixGroups}, "ConvTranspose")
	add(rule{relate: gemm}, "Gemm")
	add(rule{relate: matMul}, "MatMul")
	add(rule{relate: einsum}, "Einsum")
	add(rule{relate: recurrent, fix: fixHidden}, "LSTM", "GRU", "RNN")
	add(rule{relate: attention, fix: fixAttention}, "Attention")
	add(rule{relate: rotary, fix: fixRotary}, "RotaryEmbedding")

	add(rule{relate: batchNorm}, "BatchNormalization")
	add(rule{relate: instanceNorm}, "InstanceNormalization")
	add(rule{relate: groupNorm, fix: fixNormGroups}, "GroupNormalization")
	add(rule{relate: fromAxis(-1, "all channels share one statistic")}, "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
	add(rule{relate: softmax}, "Softmax", "LogSoftmax", "Hardmax")
	add(rule{relate: alongAxis(-1, "the norm is taken over this axis")}, "LpNormalization")
	add(rule{relate: localResponse}, "LRN")
	add(rule{relate: meanVariance}, "MeanVarianceNormalization")

	add(rule{relate: unary}, "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu",
		"Clip", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN",
		"LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
		"Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu")
	add(rule{relate: dropout}, "Dropout")
	add(rule{relate: castLike}, "CastLike")
	add(rule{relate: broadcast}, "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater",
		"GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor")
	add(rule{relate: quantize}, "QuantizeLinear", "DequantizeLinear")

	add(rule{relate: pool}, "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
	add(rule{relate: reduce}, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
		"ReduceProd", "ReduceSum", "ReduceSumSquare")
	add(rule{relate: argument}, "ArgMax", "ArgMin")
	add(rule{relate: resize, fix: fixResize}, "Resize", "Upsample")
	add(rule{relate: pad, fix: fixPad}, "Pad")
	add(rule{relate: depthToSpace}, "DepthToSpace")
	add(rule{relate: spaceToDepth}, "SpaceToDepth")
	add(rule{relate: sample}, "GridSample", "RoiAlign", "MaxRoiPool")
	add(rule{relate: topK}, "TopK")
	add(rule{relate: alongAxis(0, "sums run along this axis")}, "CumSum", "CumProd")
	add(rule{relate: oneHot}, "OneHot")
	add(rule{relate: triangles}, "Trilu")
	add(rule{relate: reverse}, "ReverseSequence")
	add(rule{relate: compress}, "Compress")
	add(rule{relate: centre}, "CenterCropPad")
	add(rule{relate: columns}, "Col2Im")

	add(rule{relate: transpose}, "Transpose")
	add(rule{relate: reshape, fix: fixTarget}, "Reshape")
	add(rule{relate: reshape}, "Flatten")
	add(rule{relate: renumber}, "Squeeze", "Unsqueeze")
	add(rule{relate: concat}, "Concat")
	add(rule{relate: split, fix: fixSplit}, "Split")
	add(rule{relate: slice, fix: fixSlice}, "Slice")
	add(rule{relate: gather, fix: fixGather}, "Gather")
	add(rule{relate: elements}, "GatherElements", "ScatterElements", "Scatter")
	add(rule{relate: gatherND}, "GatherND")
	add(rule{relate: scatterND}, "ScatterND")
	add(rule{relate: expand, fix: fixTarget}, "Expand")
	add(rule{relate: tile}, "Tile")
	add(rule{relate: constantOfShape, fix: fixTarget}, "ConstantOfShape")
	add(rule{relate: shape}, "Shape")
	add(rule{relate: constant}, "Constant")
	add(rule{relate: branches}, "If")

	addInteger(t)
	addFused(t)
	return t
}

// addInteger adds the operators on integer codes, of the standard and of ONNX Runtime.
func addInteger(t map[key]rule) {
	t[key{"", "ConvInteger"}] = rule{relate: convInteger, fix: fixGroups}
	t[key{"", "MatMulInteger"}] = rule{relate: integerMatMul(1, 3)}
	t[key{"", "QLinearMatMul"}] = rule{relate: integerMatMul(3, 5, 4)}
	t[key{"", "DynamicQuantizeLinear"}] = rule{relate: dynamicQuantize}
	for _, domain := range []string{"", microsoft} {
		t[key{domain, "QLinearConv"}] = rule{relate: qlinearConv, fix: fixGroups}
	}
	for op, r := range map[string]rule{
		"QuantizeLinear": {relate: quantize}, "DequantizeLinear": {relate: quantize},
		"QLinearAdd": {relate: qlinearBinary}, "QLinearMul": {relate: qlinearBinary},
		"QLinearSigmoid": {relate: unary}, "QLinearLeakyRelu": {relate: unary}, "QLinearSoftmax": {relate: qlinearSoftmax},
		"QLinearAveragePool": {relate: qlinearPool}, "QLinearGlobalAveragePool": {relate: qlinearPool}, "QLinearConcat": {relate: qlinearConcat},
		"QGemm": {relate: qgemm}, "MatMulIntegerToFloat": {relate: integerMatMul(1, 5, 3, 6)}, "DynamicQuantizeMatMul": {relate: dynamicProduct},
		"MatMulNBits": {relate: packedMatMul, fix: fixColumns},
	} {
		t[key{microsoft, op}] = r
	}
}

// addFused adds the fused operators of ONNX Runtime.
func addFused(t map[key]rule) {
	for op, r := range map[string]rule{
		"Gelu": {relate: unary}, "QuickGelu": {relate: unary}, "FastGelu": {relate: broadcast}, "BiasGelu": {relate: broadcast},
		"FusedConv": {relate: fusedConv, fix: fixGroups}, "FusedGemm": {relate: gemm}, "FusedMatMul": {relate: fusedMatMul},
		"SkipLayerNormalization": {relate: skipNorm}, "SkipSimplifiedLayerNormalization": {relate: skipNorm},
		"Attention": {relate: packedAttention, fix: fixHeads}, "MultiHeadAttention": {relate: multiHead, fix: fixHeads},
		"GroupQueryAttention": {relate: groupQuery, fix: fixHeads}, "RotaryEmbedding": {relate: rotary, fix: fixRotary},
	} {
		t[key{microsoft, op}] = r
	}
}
