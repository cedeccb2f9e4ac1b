package diag

// noteCodes are warnings and notes. They fail a run only with --werror.
var noteCodes = []Entry{
	{"OP8001", "the output was not verified", `No samples were given, the runtime library is missing, or --no-verify was set; the new model was checked for structure only. The file's metadata records that.`},
	{"OP8002", "random samples", `The samples are random numbers (--data random). Ranges measured on them say little about real inputs; use them to try things out, not to ship.`},
	{"OP8004", "the target's own runtime was not asked", `The target's runtime is not installed, so the file was checked against the target's rules and in ONNX Runtime only. --runtime-check require makes this an error.`},
	{"OP8005", "passes run in an unusual order", `--keep-order runs the passes as typed although their usual order is another one. The message says why it is.`},
	{"OP8006", "declarations of the file were completed or corrected", `The format demands that graphs have names and that outputs of the model declare an element type and a shape. Runtimes load files without them, and some exporters leave them out, so such a model is accepted: a file written from it has the names, and the types that follow from the nodes. The dimensions themselves may stay unknown or symbolic. Likewise a declared shape of an output or of an inner tensor that the nodes contradict, as it stays behind when the size of an input is edited, is replaced by the one that they compute.`},
	{"OP8007", "the new model is far from the original", `The noise in some output is within 10 dB of its signal, or its direction has changed (cosine below 0.9). Such a file rarely does its work any more. Look at that output with onnxpass verify on real samples and with labels, leave the layers before it in float (--exclude, --exclude-op), or try another range (quant:range=minmax). With --min-sqnr or --min-cos a run fails instead of warning. Outputs that hardly ever differ from a constant read like this too: then compare what you make of them.`},
}
