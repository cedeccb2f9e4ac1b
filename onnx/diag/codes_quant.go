package diag

// quantCodes are refusals and notes of the quant pass.
var quantCodes = []Entry{
	{"OP3460", "the opset is too old to quantize per channel", `DequantizeLinear has an axis since opset 13. The opset pass raises older models and is pulled in before quant unless --no-prep forbids it.`},
	{"OP8040", "sizes could not be derived from the samples", `Shape inference with the sizes of the first sample failed, so multiply-accumulates are not counted and rules about small layers are not applied. The result is valid all the same.`},
	{"OP8042", "no layer was quantized", `Every convolution and matrix product stayed in float; the report says why for each.`},
}
