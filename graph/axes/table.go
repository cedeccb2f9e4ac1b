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

	add(rule{relate: batchNorm}, "BatchNormalization")
	add(rule{relate: instanceNorm}, "InstanceNormalization")
	add(rule{relate: groupNorm, fix: fixNormGroups}, "GroupNormalization")
	add(rule{relate: fromAxis(-1, "all channels share one statistic")}, "LayerNormalization", "RMSNormalization")
	add(rule{relate: softmax}, "Softmax", "LogSoftmax", "Hardmax")
	add(rule{relate: alongAxis(-1, "the norm is taken over this axis")}, "LpNormalization")
	add(rule{relate: localResponse}, "LRN")
	add(rule{relate: meanVariance}, "MeanVarianceNormalization")

	add(rule{relate: unary}, "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu",
		"Clip", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN",
		"LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
		"Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu")
	add(rule{relate: dropout}, "Dropout")
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
	add(rule{relate: alongAxis(0, "sums run along this axis")}, "CumSum")

	add(rule{relate: transpose}, "Transpose")
	add(rule{relate: reshape, fix: fixTarget}, "Reshape")
	add(rule{relate: reshape}, "Flatten")
	add(rule{relate: renumber}, "Squeeze", "Unsqueeze")
	add(rule{relate: concat}, "Concat")
	add(rule{relate: split, fix: fixSplit}, "Split")
	add(rule{relate: slice, fix: fixSlice}, "Slice")
	add(rule{relate: gather, fix: fixGather}, "Gather")
	add(rule{relate: expand, fix: fixTarget}, "Expand")
	add(rule{relate: tile}, "Tile")
	add(rule{relate: constantOfShape, fix: fixTarget}, "ConstantOfShape")
	add(rule{relate: shape}, "Shape")
	add(rule{relate: constant}, "Constant")
	add(rule{relate: branches}, "If")

	t[key{microsoft, "QuantizeLinear"}] = rule{relate: quantize}
	t[key{microsoft, "DequantizeLinear"}] = rule{relate: quantize}
	for _, op := range []string{"Gelu", "QuickGelu"} {
		t[key{microsoft, op}] = rule{relate: unary}
	}
	for _, op := range []string{"FastGelu", "BiasGelu"} {
		t[key{microsoft, op}] = rule{relate: broadcast}
	}
	return t
}
