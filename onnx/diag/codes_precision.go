package diag

// precisionCodes documents the messages of package passes/precision.
var precisionCodes = []Entry{
	{"OP3480", "the opset is too old for 16-bit floats", `Before opset 13 some operators have no 16-bit form, and others take as attributes what is an input later. The opset pass raises older models and is pulled in before fp16 and bf16 unless --no-prep forbids it.`},
	{"OP3481", "the target does not run the 16-bit type", `bfloat16 runs in TensorRT and in OpenVINO; the CPU kernels of ONNX Runtime do not have it, and so a file for several runtimes cannot use it. float16 runs everywhere, widened to float32 where a processor has nothing better. Choose the runtime with --target, or use -p fp16.`},
	{"OP4030", "constants have values outside the range of the type", `--strict was set, and constants that would be converted hold values beyond the range of the type, which would be clamped, or so small that they would become zero. The message names the tensors with the number of such values. Clamping matters in masks and bounds only in rare cases; values that become zero are harmless in weights whose other values are much larger. Exclude the operators that read the tensors (--exclude), or leave --strict out.`},
	{"OP8080", "values of a constant were clamped", `The constant has finite values beyond the range of the 16-bit type, and its operators use it as a bound or as a fill value, where the end of the range does the same. The report counts them for each tensor. Where a constant of that kind takes part in arithmetic, the operator stays float32 instead.`},
}
