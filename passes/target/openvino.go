package target

const (
	srcOV      = "OpenVINO ONNX frontend sources, 2024 to 2025"
	srcOVM     = "measured: OpenVINO 2026.4.1 CPU against ONNX Runtime"
	srcOVPlug  = "OpenVINO CPU plugin and transformation sources, 2025 to 2026"
	srcOVOps   = "OpenVINO ONNX frontend, supported_ops.md"
	srcNNCF    = "NNCF 3.1 ONNX backend sources"
	hintUint8  = "quantize for target openvino: uint8 activations"
	hintOVPair = "quantize for target openvino"
)

func openvinoRules() []Rule {
	return append(append(openvinoLoadRules(), openvinoKernelRules()...), commonRules()...)
}

func openvinoLoadRules() []Rule {
	return []Rule{
		{"O01", "OP5001", Error, "initializers have an element type of the list", "convert the initializer", srcOV, checkElements},
		{"O02", "OP5002", Error, "the zero point of QuantizeLinear is int4, uint4, int8, uint8, int16 or uint16: no float8 activations", "use 8-bit integers", srcOV, eachOp(checkZeroPointInteger, "QuantizeLinear")},
		{"O03", "OP5003", Error, "the scale of DequantizeLinear is float32", "store the scale in float32", srcOV, eachOp(checkScaleFloat, "DequantizeLinear")},
		{"O04", "OP5004", Error, "the rank of what DequantizeLinear reads is known, and a scale per channel has the length of its axis", "fix the scale's length", srcOV, eachOp(checkDequantizeRank, "DequantizeLinear")},
		{"O05", "OP5005", Error, "blocked DequantizeLinear: static data of rank 2, axis 0, dimension divisible by block_size", "store the weight as [K, N] with blocks along axis 0", srcOV, eachOp(checkBlocked, "DequantizeLinear")},
		{"O06", "OP5006", Advice, "opset at most 21: newer operators fall back to the nearest older known version", "write opset 21 or lower", srcOVOps, checkOpsetAdvice},
		{"O07", "OP5007", Silent, "no initializer with dims [0]: it is read as a scalar", "leave the input empty instead", srcOV, eachConst(checkEmpty)},
		{"O10", "OP5010", Error, "the branches of an If give each output the same number of dimensions, unless its condition follows from fixed sizes: the plugin has no If of unknown rank", "export with fixed input sizes, or without the If", srcOVM, eachOp(checkBranchRanks, "If")},
		{"O08", "", Advice, "no tensor segments; external data aligned to 4 KiB (the writer guarantees it)", "", srcOV, nil},
		{"O09", "OP5009", Advice, "com.microsoft operators have community importers only", "export with ai.onnx operators", srcOVOps, eachNode(checkMicrosoft)},
	}
}

func openvinoKernelRules() []Rule {
	return []Rule{
		{"O20", "OP5020", Silent, "no int8 activations: several common graphs (Concat or Split before Conv, LSTM networks, OCR networks) are computed wrongly", hintUint8, srcOVM, eachOp(checkSignedActivation, "QuantizeLinear")},
		{"O21", "OP5021", Silent, "no Pad of channels between Q/DQ and a convolution unless the pair is uint8 with zero point 0", hintOVPair, srcOVM, eachOp(checkChannelPad, "Pad")},
		{"O22", "OP5022", Silent, "no zero point 0 between ReduceMean and a BatchNormalization of rank 2", hintOVPair, srcOVM, eachOp(checkMeanPairNorm, "BatchNormalization")},
		{"O23", "OP5023", Error, "no asymmetric pair on a Concat of a single token with others before a MatMul: it does not compile", hintOVPair, srcOVM, eachOp(checkTokenConcat, "Concat")},
		{"O24", "OP5024", Slow, "one DequantizeLinear for each QuantizeLinear, or the pair is not fused", "share the DequantizeLinear", srcOVPlug, eachOp(checkSingleDequantize, "QuantizeLinear")},
		{"O25", "OP5025", Slow, "QuantizeLinear and its DequantizeLinear have the same scale and zero point", "use the same initializers", srcOVPlug, eachOp(checkSameParameters, "DequantizeLinear")},
		{"O26", "OP5026", Slow, "8-bit activations: 16-bit pairs stay float", "use 8-bit integers", srcOVPlug, eachPair(checkWidePair)},
		{"O27", "OP5027", Slow, "activation and weight of ConvTranspose are symmetric: a zero point that is not in the middle keeps it in float", "use zero point 128 for this tensor", srcOVPlug, eachOp(checkTransposeSymmetric, "ConvTranspose")},
		{"O28", "OP5028", Slow, "one scale per channel on an activation only before a depthwise convolution", "use one scale for the tensor", srcOVPlug + "; " + srcNNCF, eachOp(checkPerChannelBeforeDense, "Conv", "ConvTranspose", "MatMul", "Gemm")},
		{"O29", "OP5029", Slow, "weights are int8 and symmetric: others cost a correction term or stay float", "quantize the weights symmetrically", srcOVPlug + "; " + srcNNCF, eachOp(checkWeightSymmetric, linear...)},
		{"O30", "OP5030", Slow, "an 8-bit activation meets an 8-bit weight: a layer with only one of them runs in float", "quantize the weight as well", srcOVPlug, eachOp(checkHalfQuantized, linear...)},
		{"O31", "", Advice, "both inputs of an elementwise addition may be quantized; one-sided is legal too", "", srcNNCF, nil},
		{"O32", "", Advice, "concatenated tensors share one scale", "", srcNNCF, nil},
		{"O33", "", Advice, "squeeze-and-excite gates and probabilities x V stay float, scores are symmetric", "", srcNNCF, nil},
		{"O34", "OP5034", Advice, "the rest of an 8-bit model stays in float32: the plugin picks the precision itself", "leave float16 to the plugin", srcOVPlug, checkHalfRest},
		{"O36", "OP5036", Slow, "weights of Gemm and MatMul do not share a zero-point initializer: those that do run in float", "give every weight a zero point of its own", srcOVM, checkSharedZeroPoint},
		{"O37", "OP5037", Error, "no weight of LSTM or GRU behind DequantizeLinear, or behind Cast of 8 bits and Mul, in a model with pairs: it does not compile, or loses its zero point without a word", "quantize for target openvino: the zero point is subtracted in int32", srcOVM, checkRestoredRecurrence},
		{"O35", "OP5035", Advice, "not every activation carries a pair: such a file crashed the plugin", hintOVPair, srcOVM, checkPairsEverywhere},
	}
}
