package opset

// rule converts one operator from the version before to version.
type rule struct {
	op      string
	version int64
	what    string // for reports
	convert func(*conversion) error
}

// table lists every step between two versions of an operator that is more
// than a wider choice of element types or a new attribute or input whose
// absence means what was meant before. A test compares it with the operator
// table; changes of meaning that the signature does not show are
//
//   - Softmax, LogSoftmax, Hardmax 13: the axis was where the input is
//     flattened to two dimensions.
//   - Resize 11: a pixel's position had no half pixel in it.
//
// Two steps have no rule although the specification moved, because ONNX
// Runtime computes the same in both versions and a rule would change that:
// OneHot 11 counts negative indices from the end, where 9 asks for a row of
// off values; AveragePool 19 says how windows count that ceil_mode lets
// overhang the padding, which was left open.
var table = []rule{
	{"Concat", 4, "write the default axis", concat4},
	{"GlobalLpPool", 2, "p as integer", lpPool2},
	{"LpPool", 2, "p as integer", lpPool2},
	{"Pad", 2, "rename paddings to pads", pad2},
	{"Split", 2, "split attribute", split2},
	{"Reshape", 5, "shape as input", reshape5},
	{"Cast", 6, "element type as number", cast6},
	{"Selu", 6, "write the default constants", selu6},
	{"Tile", 6, "repeats as one input", tile6},

	{"Add", 7, "numpy broadcasting", broadcast7},
	{"And", 7, "numpy broadcasting", broadcast7},
	{"Div", 7, "numpy broadcasting", broadcast7},
	{"Equal", 7, "numpy broadcasting", broadcast7},
	{"Greater", 7, "numpy broadcasting", broadcast7},
	{"Less", 7, "numpy broadcasting", broadcast7},
	{"Mul", 7, "numpy broadcasting", broadcast7},
	{"Or", 7, "numpy broadcasting", broadcast7},
	{"Pow", 7, "numpy broadcasting", broadcast7},
	{"Sub", 7, "numpy broadcasting", broadcast7},
	{"Xor", 7, "numpy broadcasting", broadcast7},
	{"Gemm", 7, "drop broadcast", drop("broadcast")},
	{"BatchNormalization", 7, "drop is_test", drop("is_test")},
	{"Dropout", 7, "drop is_test", drop("is_test")},
	{"PRelu", 7, "slope broadcast from the right", prelu7},
	{"GRU", 7, "drop output_sequence", drop("output_sequence")},
	{"LSTM", 7, "drop output_sequence", drop("output_sequence")},
	{"RNN", 7, "drop output_sequence", drop("output_sequence")},
	{"Upsample", 7, "scales of all dimensions", upsample7},

	{"BatchNormalization", 9, "drop spatial", batchNorm9},
	{"Scan", 9, "no batch axis", scan9},
	{"Upsample", 9, "scales as input", upsample9},
	{"Dropout", 10, "mask of bool", dropout10},
	{"Slice", 10, "starts, ends and axes as inputs", slice10},
	{"TopK", 10, "k as input", topK10},
	{"Upsample", 10, "Resize", upsample10},
	{"Clip", 11, "min and max as inputs", clip11},
	{"Pad", 11, "pads and value as inputs", pad11},
	{"Resize", 11, "write the coordinate mode", resize11},
	{"Scatter", 11, "ScatterElements", scatter11},
	{"Dropout", 12, "ratio as input", dropout12},

	{"Hardmax", 13, "axis instead of flattening", softmax13},
	{"LogSoftmax", 13, "axis instead of flattening", softmax13},
	{"Softmax", 13, "axis instead of flattening", softmax13},
	{"ReduceSum", 13, "axes as input", attrToInput("axes", 1)},
	{"Resize", 13, "drop empty inputs", resize13},
	{"Split", 13, "split as input", attrToInput("split", 1)},
	{"Squeeze", 13, "axes as input", attrToInput("axes", 1)},
	{"Unsqueeze", 13, "axes as input", attrToInput("axes", 1)},
	{"BatchNormalization", 14, "drop training outputs", batchNorm14},
	{"RoiAlign", 16, "write the coordinate mode", roiAlign16},

	{"ReduceL1", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceL2", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceLogSum", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceLogSumExp", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceMax", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceMean", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceMin", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceProd", 18, "axes as input", attrToInput("axes", 1)},
	{"ReduceSumSquare", 18, "axes as input", attrToInput("axes", 1)},
	{"Split", 18, "write num_outputs", split18},
	{"DFT", 20, "axis as input", dft20},
	{"GridSample", 20, "rename modes", gridSample20},
	{"GroupNormalization", 21, "scale and bias per channel", groupNorm21},
}

// consumers are the operators that lost the attribute consumed_inputs in version 6.
var consumers = [...]string{"Abs", "Add", "BatchNormalization", "Ceil", "Clip", "Div", "Dropout", "Elu", "Exp", "Floor",
	"HardSigmoid", "InstanceNormalization", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mul", "Neg", "PRelu", "Reciprocal",
	"Relu", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh"}

// rules is the table by version and operator.
func rules() map[int64]map[string]rule {
	by := map[int64]map[string]rule{}
	add := func(r rule) {
		if by[r.version] == nil {
			by[r.version] = map[string]rule{}
		}
		by[r.version][r.op] = r
	}
	for _, op := range consumers {
		add(rule{op, 6, "drop consumed_inputs", drop("consumed_inputs")})
	}
	for _, r := range table {
		add(r)
	}
	return by
}
