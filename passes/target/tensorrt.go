package target

import "github.com/onnxpass/onnxpass/onnx"

// Sources, as short names.
const (
	srcTRT   = "onnx-tensorrt parser, 10.1 and 10.15"
	srcTRTOp = "onnx-tensorrt docs/operators.md, 10.15"
	srcTRTH  = "TensorRT 11.1 NvInfer.h"
	srcTRTM  = "measured: TensorRT-RTX 1.7.1 parser and builder, TensorRT 11.2 parser"
	srcTRTD  = "TensorRT documentation, quantized types and explicit quantization"
	srcMO    = "NVIDIA Model-Optimizer, modelopt/onnx (2026-08)"
	srcONNX  = "ONNX operator specification"
)

// tensorrtForbidden are the ai.onnx operators that the parser refuses.
func tensorrtForbidden() []string {
	return []string{
		"BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "QLinearConv", "QLinearMatMul", "ConvInteger",
		"MatMulInteger", "DynamicQuantizeLinear", "DFT", "STFT", "MelWeightMatrix", "MaxUnpool", "SequenceAt", "SequenceConstruct",
		"SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence",
		"ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement", "StringConcat", "StringNormalizer",
		"StringSplit", "RegexFullMatch", "TfIdfVectorizer", "Unique", "Compress", "Det", "Bernoulli", "Multinomial",
	}
}

func tensorrtRules() []Rule {
	rules := append(tensorrtTypeRules(), tensorrtPairRules()...)
	return append(append(rules, tensorrtPlacementRules()...), commonRules()...)
}

func tensorrtTypeRules() []Rule {
	return []Rule{
		{"T01", "OP5101", Error, "every initializer, used or not, has an element type of the list", "convert the initializer, or remove it if nothing uses it", srcTRT + "; " + srcTRTM, checkElements},
		{"T02", "OP5102", Advice, "no float64: initializers are clamped to float32, inputs retyped", "convert to float32 before deployment", srcTRT, checkDouble},
		{"T03", "", Advice, "int64 is native since 9.0; int32 is preferred for new index initializers", "", srcTRT, nil},
		{"T04", "OP5104", Error, "uint8 only as graph input or output or as an initializer; no node output of uint8 inside the graph", "cast to int32 right after the input", srcTRT + "; " + srcTRTM, checkUint8Inside},
		{"T05", "OP5105", Error, "int8, int4, float8 and float4 only between QuantizeLinear and DequantizeLinear or as an initializer that feeds one (only the builder finds it)", "move the operator to the float side of the pair", srcTRTOp + "; " + srcTRTM, checkQuantizedTypesInside},
		{"T06", "OP5106", Error, "Cast to float32, float16, bfloat16, int32, int64, bool (int8 is accepted; float8 fails in the builder)", "use QuantizeLinear instead of Cast", srcTRTOp + "; " + srcTRTM, eachOp(checkCastTarget, "Cast")},
		{"T07", "OP5107", Error, "no operator that the parser does not know; com.microsoft operators are read as ONNX operators of the same name", "replace the operator or provide a plugin", srcTRTOp + "; " + srcTRTM, checkForbidden},
		{"T08", "OP5108", Error, "attribute limits: pooling without dilations and Indices, constant axes of Reduce, Resize without antialias, TopK K <= 3840, no ScatterND reduction, Dropout not training, other names for outputs of If branches", "rewrite the operator", srcTRTOp + "; " + srcTRTM, eachNode(checkTensorRTAttributes)},
		{"T09", "OP5109", Error, "opset within the range that the parser knows", "run a target that lowers the opset, or export again", srcTRTOp, checkOpset},
		{"T10", "OP5110", Error, "at most 8 dimensions", "reshape the tensor", srcTRT + "; " + srcTRTM, eachConst(checkRank)},
		{"T11", "", Error, "external data with location, offset, length and checksum only, relative path, length always present and exact (the writer guarantees it)", "", srcTRT + "; " + srcTRTM, nil},
		{"T12", "", Advice, "raw_data for every element type (the writer guarantees it)", "", srcTRT, nil},
		{"T13", "OP5113", Error, "the name of a Q/DQ node differs from every other node's and initializer's name", "rename the node", srcTRTM, checkPairNames},
		{"T14", "", Advice, "dynamic shapes need an optimization profile at build", "", srcTRT, nil},
		{"T15", "OP5115", Advice, "no operator or function name that begins with TRT_", "rename the function", srcTRT, eachNode(checkReservedName)},
	}
}

func tensorrtPairRules() []Rule {
	return []Rule{
		{"T20", "OP5120", Silent, "no uint8 Q/DQ: a zero point of uint8 0 is imported as int8 (half the range), another one or uint8 data is refused", "quantize for target tensorrt: int8 with zero point 0", srcTRT + "; " + srcTRTM, eachPair(checkUnsignedPair)},
		{"T21", "OP5121", Silent, "the zero point is present: absent means uint8 to ONNX and int8 to TensorRT", "write an int8 zero point", srcTRT + "; " + srcTRTM, eachPair(checkZeroPointPresent)},
		{"T22", "OP5122", Error, "the zero point is constant, all zeros, and has as many elements as the scale", "quantize symmetrically", srcTRT + "; " + srcTRTM, eachPair(checkZeroPointZero)},
		{"T23", "OP5123", Error, "the scale is float32, float16 or bfloat16, constant, and every element is above 0", "replace zero scales; keep float16 scales above 6.1e-5", srcTRT, eachPair(checkScalePositive)},
		{"T24", "OP5124", Error, "the scale has one element, one for each index of the axis, or the rank of the data with one blocked dimension", "fix the scale's shape", srcTRT + "; " + srcTRTM, eachPair(checkScaleShape)},
		{"T25", "OP5125", Silent, "a scale per channel comes with the axis attribute: defaults differ between parser versions", "write axis", srcTRT, eachPair(checkAxisWritten)},
		{"T26", "OP5126", Slow, "one scale per channel only on weights: an activation with several is computed in float", "use one scale for the tensor", srcTRTH + "; " + srcTRTM, eachOp(checkPerChannelActivation, "QuantizeLinear")},
		{"T27", "OP5127", Slow, "weight axis: Conv 0, ConvTranspose 1, MatMul last, Gemm 0 with transB else 1: another one is computed in float", "quantize the weight along its output channels", srcMO + "; " + srcTRTM, eachOp(checkWeightAxis, linear...)},
		{"T28", "OP5128", Error, "an int4 initializer has an even number of elements", "pad the weight", srcTRTM, eachConst(checkInt4Even)},
		{"T29", "OP5129", Error, "data, scale and bias of an 8-bit layer have one float type", "convert the scales to the type of the layer", srcTRTH + "; " + srcTRTM, eachOp(checkLayerTypes, linear...)},
		{"T30", "OP5130", Error, "data of Q/DQ is not a scalar (refused by 11.2, accepted by RTX)", "remove the pair", srcTRTM, eachPair(checkScalarData)},
		{"T31", "OP5131", Error, "biases stay float: DequantizeLinear of int32 is refused", "keep the bias in float32", srcTRT + "; " + srcMO + "; " + srcTRTM, eachOp(checkInt32DQ, "DequantizeLinear")},
		{"T32", "OP5132", Slow, "an 8-bit activation meets an 8-bit weight: a layer with only one of them runs in float", "quantize the weight as well, or drop the activation's pair", srcTRTD + "; " + srcMO, eachOp(checkHalfQuantized, linear...)},
		{"T33", "", Advice, "weights symmetric with scale = absmax/127, ties to even", "", srcTRTD, nil},
		{"T34", "OP5134", Advice, "one QuantizeLinear for each tensor, no pair directly on another pair with a different scale", "share the pair", srcMO, eachOp(checkStackedPairs, "QuantizeLinear")},
		{"T35", "", Advice, "4-bit weights of a MatMul [K, N] in blocks along axis 0, block 128, float16 scales", "", srcMO + "; " + srcTRTD, nil},
		{"T36", "OP5136", Error, "no blocked weight together with a quantized activation", "use one scale per output channel", srcTRTM, eachOp(checkBlockedWithActivation, linear...)},
		{"T37", "OP5137", Error, "no layer that mixes float8 and int8, or int4 weights of a convolution with int8 activations", "use one 8-bit type for the layer", srcTRTM, eachOp(checkMixedTypes, linear...)},
	}
}

func tensorrtPlacementRules() []Rule {
	return []Rule{
		{"TP01", "", Advice, "inputs of Conv, ConvTranspose, Gemm and MatMul are quantized, outputs are not", "", srcMO, nil},
		{"TP02", "", Advice, "the pair sits after the fused chain (BatchNormalization, activation, MaxPool after a convolution)", "", srcMO, nil},
		{"TP04", "", Advice, "residual Add: only the skip input is quantized, so that convolution and addition fuse", "", srcMO, nil},
		{"TP07", "", Advice, "concatenated tensors share one scale, or requantize kernels appear", "", srcMO, nil},
		{"TP11", "", Advice, "attention products in 8 bits only with a constant or no mask and a sequence of at most 512", "", srcMO, nil},
		{"TP12", "", Advice, "products with M or N = 1, K < 16 or N < 16 stay float", "", srcMO, nil},
		{"TP13", "", Advice, "convolutions below 16 channels stay float unless channels are a multiple of 8 and the shape is regular", "", srcMO, nil},
		{"TP14", "OP5154", Slow, "no pair on a graph output", "remove the pair", srcMO, checkPairOnOutput},
		{"TP15", "OP5155", Slow, "no pair on both sides of an operator without an 8-bit kernel: both run as kernels around a float operator", "remove the pair", srcMO, eachNode(checkFloatBetweenPairs)},
	}
}

// noKernel are common operators that TensorRT never runs in 8 bits.
var noKernel = []string{"Softmax", "LogSoftmax", "Sigmoid", "Tanh", "Gather", "Where", "ArgMax", "ArgMin", "InstanceNormalization", "LayerNormalization", "Erf", "Exp", "Sqrt", "Pow", "Div"}

// castTargets are the types that TensorRT casts to.
var castTargets = []onnx.DataType{onnx.Float, onnx.Float16, onnx.BFloat16, onnx.Int32, onnx.Int64, onnx.Bool, onnx.Int8}
