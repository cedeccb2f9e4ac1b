package diag

// codebookCodes are messages of passes that store weights as codes and tables.
var codebookCodes = []Entry{
	{"OP3475", "a weight cannot be put together from its codes", `A weight of the file is computed from codes and a table, and a code names no entry, or shapes do not fit. No runtime can compute it either. The message names the weight.`},
	{"OP8075", "weights were clustered without error feedback", `Choosing entries with error feedback needs the covariance of a layer's inputs, which takes at least as many positions as the layer has inputs for each output (input channels times taps of the filter). A matrix product with one row per sample has one position per sample. The layers meant had fewer, or are larger than what is worked on (2304 inputs), or lie outside the main graph: their elements got the nearest entries, and biases were corrected where possible. More samples help.`},
}
