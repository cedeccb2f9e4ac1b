package target

const (
	srcORT = "measured: ONNX Runtime 1.30.0, optimized graph"
	srcR32 = "measured: ONNX Runtime 1.32.0"
)

func ortRules() []Rule {
	return append([]Rule{
		{"R01", "OP5201", Error, "opset at most 26 and IR version at most 13", "write a lower opset", srcORT, checkOpset},
		{"R02", "OP5202", Slow, "the output of an 8-bit Conv is quantized too: otherwise the weight is dequantized at every run, slower than float", "quantize for target ort", srcORT, eachOp(checkConvOutput, "Conv")},
		{"R03", "OP5203", Slow, "the zero point after Relu or Clip is the least code of its type: otherwise Conv and activation are not fused", "quantize for target ort: uint8 with zero point 0", srcORT, eachOp(checkReluZeroPoint, "QuantizeLinear")},
		{"R04", "OP5204", Slow, "Add and Mul have both inputs and the output quantized, or none", "quantize for target ort", srcORT, eachOp(checkOneSided, "Add")},
		{"R05", "OP5205", Slow, "an int8 tensor has one reader: the rewrite to uint8 fails for several and neighbours lose fusion", "quantize for target ort: uint8 activations", srcORT, eachOp(checkSharedInt8, "QuantizeLinear")},
		{"R06", "OP5206", Error, "no scale per channel on the output of a Conv: the fused operator fails at run time", "use one scale for the tensor", srcR32, eachOp(checkPerChannelAfterConv, "QuantizeLinear")},
		{"R07", "OP5207", Slow, "no Conv with only its weight in 8 bits: it is dequantized at every run", "quantize the activation as well, or keep the weight in float", srcORT, eachOp(checkWeightOnlyConv, "Conv")},
		{"R08", "OP5208", Slow, "no pair around an operator that is never fused (ConvTranspose, ReduceMean, Gelu, LayerNormalization, HardSwish, Tanh, a lone Relu)", "remove the pair", srcORT, eachNode(checkNeverFused)},
		{"R09", "OP5209", Slow, "data movement has the same scale and zero point on both sides", "use one pair's parameters on both sides", srcORT, eachNode(checkMovementScales)},
		{"R10", "OP5210", Error, "AveragePool and GlobalAveragePool with a pair on both sides have one scale for the tensor", "use one scale for the tensor", srcR32, eachOp(checkPoolPerChannel, "AveragePool", "GlobalAveragePool")},
		{"R11", "", Advice, "float biases of operators with a quantized output are converted to int32 by the runtime and do not hinder fusion", "", srcORT, nil},
		{"R12", "OP5212", Slow, "the bias of an 8-bit Gemm without a quantized output is int32 behind DequantizeLinear, or absent: with a float bias the weight is dequantized at every run", "quantize for target ort", srcR32, eachOp(checkGemmBias, "Gemm")},
		{"R16", "OP5216", Silent, "a float Conv, ConvTranspose or Gemm does not read DequantizeLinear directly: the runtime stores its weight in 8 bits, with one scale", "quantize for target ort, or put a Sum of one operand between", srcR32, eachOp(checkFloatWeight, "Conv", "ConvTranspose", "Gemm")},
		{"R14", "", Advice, "MatMul runs as MatMulIntegerToFloat without a quantized output", "", srcORT, nil},
		{"R15", "OP5215", Slow, "no weight of a recurrent operator behind DequantizeLinear: it runs at every inference, and the weight is not packed at load", "quantize for target ort: DynamicQuantizeLSTM, or Cast and Mul, which are folded", srcR32, eachNode(checkDequantizedRecurrence)},
		{"R17", "OP5217", Slow, "a matrix behind DequantizeLinear alone stays packed when one layer reads it, no Gemm reads it transposed, and blocks are a power of two from 16 on; otherwise it is dequantized at every run", "store weights with pass woq for target ort", srcR32, eachOp(checkUnpacked, "MatMul", "Gemm")},
		{"R13", "", Advice, "Concat, pooling, Sigmoid, LeakyRelu and Softmax have 8-bit kernels with own scales on each side", "", srcORT, nil},
	}, commonRules()...)
}

func portableRules() []Rule {
	rules := []Rule{
		{"P01", "OP5301", Error, "initializers have an element type that all three runtimes read", "convert the initializer", srcOV + "; " + srcTRT, checkElements},
		{"P02", "OP5302", Error, "opset 7 to 17", "write opset 17 or lower", srcTRTOp + "; " + srcOVOps, checkOpset},
		{"P03", "OP5303", Advice, "no com.microsoft operators", "export with ai.onnx operators", srcOVOps, eachNode(checkMicrosoft)},
		{"P04", "OP5304", Error, "no operator that TensorRT refuses", "replace the operator", srcTRTOp, checkForbidden},
		{"P07", "OP5307", Error, "the branches of an If give each output the same number of dimensions, unless its condition follows from fixed sizes: OpenVINO has no If of unknown rank", "export with fixed input sizes, or without the If", srcOVM, eachOp(checkBranchRanks, "If")},
		{"P06", "", Advice, "int8 activations lose several dB in detectors with SiLU, in OpenVINO more than elsewhere: where the runtime is known, its own target is better", "", srcOVM, nil},
		{"P05", "OP5305", Silent, "no int8 activations that meet in a Concat or Split before a convolution: OpenVINO computes them wrongly", "place the pair after the Concat", srcOVM, eachOp(checkSignedConcat, "Concat", "Split")},
	}
	return append(append(rules, tensorrtPairRules()...), commonRules()...)
}

// commonRules hold for every runtime because ONNX itself demands them.
func commonRules() []Rule {
	return []Rule{
		{"C01", "OP5311", Error, "opset of Q/DQ: 10, with axis 13, float16 data 19, float8 19, 16-bit, 4-bit integers and block_size 21", "raise the opset", srcONNX, eachPair(checkPairOpset)},
		{"C02", "OP5312", Error, "zero point and quantized data have one type, and the zero point has the scale's shape", "fix the zero point", srcONNX, eachPair(checkZeroPointShape)},
		{"C03", "OP5313", Error, "scales are finite and above 0", "recompute the scale", srcONNX, eachPair(checkScaleFinite)},
		{"C04", "OP5314", Advice, "no initializer without a reader", "run the cleanup passes", "ONNX checker; " + srcTRT, checkUnusedInit},
	}
}
