package diag

// pruneCodes are refusals and notes of the prune pass.
var pruneCodes = []Entry{
	{"OP3501", "nothing can be pruned", `No channel of the model can be removed, or none may by the options. Channels stay where they reach an input or output of the model, a statistic that mixes them (LayerNormalization, Softmax), or an operator that the analysis does not follow. The message shows the first reasons, onnxpass explain-prune MODEL lists all.

For lossless=true it means that no channel is constant, zero or unused.`},
	{"OP3502", "the budget cannot be reached", `Even with every pool at its limit the model has more multiply-accumulates (or parameters) left than asked for. The message says how far it gets. The limits are max-ratio (0.5), min-channels (8) and multiple (8); layers that are held do not count.`},
	{"OP3503", "there is no BatchNormalization to score channels by", `criterion=bn reads the scales of batch normalizations, as nodes and as the cleanup before prune merged them into weights. A model that was exported with merged ones does not have them any more; criterion=l2 sees what they became.`},
	{"OP3504", "a channel that is to be removed must stay", `The file of indices names a channel that cannot be removed, or all channels of a pool. The message says which and why.`},
	{"OP3505", "the pruned model differs from the silenced original", `Before anything is written, the pruned model is run beside the original in which the same channels are multiplied with zero wherever they are summed up. Both must compute the same. They did not: a rule about one of the operators is wrong for this model. Nothing was written.`},
	{"OP6080", "a plan or list of channels cannot be read", `A file of indices is JSON of the form {"node": [0, 5, 7]}, a plan is what plan-out wrote.`},
	{"OP6081", "the plan was made for another model", `A plan names channels by position, so it only fits the very model that it was made for, with the same passes before prune and the same selection. The digest in the file covers the pools and the weights that make their channels.`},
	{"OP6082", "an index is out of range", `Channels are counted from 0.`},
	{"OP6083", "no layer of this name makes channels", `Names in a file of indices are those of nodes with weights (convolutions, matrix products, recurrent layers); a node without a name is called "Op producing VALUE". onnxpass explain-prune lists them.`},
	{"OP8070", "the pruned model was not compared with the original", `There is no runtime library, or the model cannot be run without real samples, so that the cut was not checked by running it. Give samples with -d, or see onnxpass runtime status.`},
	{"OP8071", "channels were chosen by their weights alone", `Without samples nothing says what the channels of this model carry. By default their means and variances are estimated from the weights, the batch normalizations that were merged into them, and layer normalizations; a channel counts by the share of variance that it brings to its readers, and the biases of readers take over the means behind normalizations. The criteria l1, l2 and bn look at norms and scales only. Expect a clear loss of accuracy at more than a few percent. Give samples with -d: they choose better, and what is left is fitted to make up for the rest. The gates (--min-sqnr, --min-agree) bound the loss; lossless=true costs nothing.`},
}
