package diag

// opsetCodes documents the messages of package passes/opset.
var opsetCodes = []Entry{{
	Code:  "OP3301",
	Title: "nodes block raising the opset",
	Long: "The operators named by the message changed between the two opset versions in a way that cannot be expressed in the later version, " +
		"or not without knowing more than the file says (a shape, an element type, a constant). The model was left as it is. " +
		"Export it again with a later opset, freeze the shapes that the message names, or raise to a version before the change.",
}, {
	Code:  "OP3302",
	Title: "unknown opset version",
	Long: "The requested opset version is not one that this program knows. Versions run from 1 to the newest of its operator table " +
		"(`onnxpass version` prints it). Runtimes usually lag behind the newest version: see `onnxpass targets`.",
}, {
	Code:  "OP3303",
	Title: "the model carries training information",
	Long: "Training graphs (training_info) share the opset version of the model, and this program does not rewrite them. " +
		"Export the model for inference, or remove the training information.",
}, {
	Code:  "OP8033",
	Title: "the opset that a later pass wants cannot be reached",
	Long: "A pass of the run writes better files from a later opset on (16-bit scales of quantized layers need 19, bfloat16 22, 4-bit weights 21), " +
		"and the nodes named by the message cannot be expressed there. The model was raised to the version that the target is written in, and the " +
		"later pass does what is possible in that version. Its report says what it left out.",
}}
