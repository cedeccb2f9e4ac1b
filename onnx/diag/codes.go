package diag

import (
	"slices"
	"strings"
)

// Codes returns the documentation of every code, in order of the codes.
func Codes() []Entry {
	all := slices.Concat(
		internalCodes,
		usageCodes,
		modelCodes, graphCodes, verifyCodes, inferCodes, opsetCodes, textCodes,
		gateCodes,
		lintCodes,
		samplesCodes, labelCodes, runtimeCodes,
		resourceCodes,
		noteCodes, cleanupCodes, quantCodes, precisionCodes, pruneCodes, codebookCodes, woqCodes, mixedCodes,
	)
	slices.SortStableFunc(all, func(a, b Entry) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// Explain returns the documentation of one code.
func Explain(code string) (Entry, bool) {
	for _, e := range Codes() {
		if strings.EqualFold(e.Code, code) {
			return e, true
		}
	}
	return Entry{}, false
}

// internalCodes are failures that the tool did not expect.
var internalCodes = []Entry{
	{"OP1001", "a pass failed unexpectedly", `A pass met a state that it holds to be impossible and was stopped; nothing was written. This is a defect of onnxpass.

Run again with -v to see where it happened, and report it together with that output. Leaving the pass out of -p, or excluding the named node with --exclude, works around it.`},
	{"OP1002", "a file could not be read or written", `The operating system refused to read or write a file: no permission, no space left, a broken disk or network mount. The message carries the system's own words.

Nothing partial is left behind. The same command may succeed when it is repeated.`},
	{"OP1003", "a pass left an invalid graph", `After a pass the graph no longer satisfies the rules of the format (operands defined before use, unique names, consistent types). Nothing was written. This is a defect of onnxpass; the message names the pass.

Run with -p without that pass, and report the message.`},
}

// resourceCodes are limits that were reached: exit 7.
var resourceCodes = []Entry{
	{"OP7001", "standard input is too large", `A model on standard input is copied to a temporary file, up to the largest size that one ONNX file can have (2 GiB). Give larger models as files with external data.`},
	{"OP7002", "a value of the model is too large to run it", `A node computes a tensor of more than 4 GiB. Runtimes allocate it as soon as they load the model or run it, so the model was not given to one. Usually a constant (the repeats of Tile, the shape of Expand or ConstantOfShape, the pads of Pad) is wrong, or the model was made to exhaust memory. Passes that need no samples work with --no-verify.`},
}
