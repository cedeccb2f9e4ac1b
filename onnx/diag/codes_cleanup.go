package diag

var cleanupCodes = []Entry{
	{"OP8050", "initializers are no longer listed as graph inputs", `The file listed weights among the graph inputs, as exporters for IR version 3 had to. A caller could have overridden them at run time, so nothing could be folded or quantized. They are now plain initializers; the inputs that a caller has to feed did not change.

To keep them as inputs use cleanup:keep-inputs=true.`},
	{"OP8051", "constants were folded without the runtime", `The runtime refused the part of the model that does not depend on its inputs, so it was folded by the arithmetic that is built in. Operators that it does not know stay in the model, which computes the same, only with more nodes.`},
}
