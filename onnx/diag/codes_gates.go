package diag

// gateCodes are failed gates: exit 4, no output written.
var gateCodes = []Entry{
	{"OP4001", "the signal-to-noise ratio is below --min-sqnr", `SQNR is 10 log10(sum ref^2 / sum (ref - out)^2) in dB over the held-out samples, the original model as reference, the worst output counting. The output was not written.

The message names the layers that add the most noise of their own, with the --exclude flags that leave them in float. What a layer costs the outputs is another matter: onnxpass sensitivity measures it, ranks the layers and prints the flags for a goal.

quant uses the same measurement to meet --min-sqnr and --min-agree by itself (quant:budget=revert, the default). If the gate fails all the same, it could not be met with max-float percent of the multiply-accumulates in float; the summary says what was reached. A larger quant:max-float lets it go on.`},
	{"OP4002", "the cosine is below --min-cos", `The mean cosine between the outputs of the original and of the new model on the held-out samples is too low. The output was not written.`},
	{"OP4003", "a difference is above --max-abs", `The largest absolute difference of an output on the held-out samples is above the limit. The output was not written.`},
	{"OP4004", "too few equal predictions for --min-agree", `The share of held-out samples whose largest output element (argmax) is the same in both models is below the limit. The output was not written.`},
	{"OP4005", "the file is larger than --max-size", `The written model together with its external data is above the limit. The output was not kept.`},
	{"OP4006", "more multiply-accumulates than --max-macs", `One MAC is one multiply-accumulate of Conv, ConvTranspose, Gemm, MatMul and recurrent operators, for the shapes that the message names. The output was not kept.`},
	{"OP4007", "two runtimes disagree on the new file", `ONNX Runtime and the target's own runtime compute different outputs from the same file and samples. One of them computes it wrongly, so the file is not handed out.

Exclude the part of the network that differs (--exclude), or choose another target; --runtime-check off skips this check and records that.`},
	{"OP4008", "the new model cannot be run", `The runtime loads or runs the original but not the new model. The output was not written. This is a defect of onnxpass or of the runtime; the message carries the runtime's words.`},
	{"OP4009", "outputs are not finite", `The new model computes NaN or infinity where the original computes finite numbers. The output was not written.`},
	{"OP4010", "the interface of the model changed", `Names, order, types or shapes of inputs or outputs differ between the two models, so programs that use the old one break with the new one.`},
	{"OP4011", "a gate cannot be judged", `A numeric gate was given but there are no samples to judge it on, or the library that runs models is missing. A gate that was not judged counts as failed.`},
	{"OP4012", "the accuracy is below --min-accuracy", `The share of held-out samples whose largest element of the first output is the class in --labels is too low. The output was not written.`},
	{"OP4013", "the new model breaks rules of its target", `The lint of the target found errors in the file that was about to be written, so the runtime would refuse it or compute it wrongly. The output was not written.

This is a defect of onnxpass unless the original breaks the same rules; the findings are in the message.`},
	{"OP4014", "a warning, with --werror", `--werror turns every warning into a failure. The message carries the code of the warning; explain that one.`},
}
