package diag

// textCodes documents the messages of package onnx/text.
var textCodes = []Entry{{
	Code:  "OP3090",
	Title: "the text form of a model cannot be read",
	Long: "The message names the line and the column where reading stopped and what was expected there. " +
		"The grammar is that of the ONNX documentation (docs/Syntax.md) with the additions listed in the documentation of package onnx/text. " +
		"A common cause is text printed with elided tensors: dump shows large tensors as shape, type, digest and range, which cannot be turned back into a model.",
}}
