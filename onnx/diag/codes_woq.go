package diag

// woqCodes are refusals of passes that store weights in fewer bits.
var woqCodes = []Entry{
	{"OP3470", "the target does not read weights of this type", `4-bit weights and FP8 need DequantizeLinear of opset 21 and 19, which portable files do not have, and not every runtime reads every type: TensorRT has no zero points and no E5M2. See: onnxpass targets NAME.`},
}
