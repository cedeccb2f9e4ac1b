package diag

// mixedCodes are refusals and notes of the mixed pass.
var mixedCodes = []Entry{
	{"OP4020", "the budget of mixed cannot be kept", `No assignment of the forms that may be chosen keeps the size, or none that was tried keeps the quality. The message shows the one that comes closest; nothing was written.

Allow more, or more forms: codebook4 for a smaller file, fp16 or fp32 for a better one (mixed.formats). Weights below mixed.min-elems, biases and the graph itself count in a size, and no form makes them smaller. mixed.attempts and mixed.time-limit bound how many assignments are judged for a quality.`},
	{"OP6090", "a recipe cannot be read", `A recipe is the JSON file that mixed.recipe-out wrote: a form for every weight.`},
	{"OP6091", "the recipe was made for another model", `A recipe names the weights of one model and carries a digest of their contents. It fits the very model that it was made for, with the same passes before mixed, the same selection and the same mixed.min-elems.`},
	{"OP8085", "the choice of forms rests on little", `Forms are chosen by what they do to the outputs on samples. Without real samples, random inputs are tried, which switch on other parts of the network than data does; without a runtime, the error of the weights alone decides, with first and last layers in 8 bits. In tests a choice on real samples was worth 10 dB and more over one without.`},
}
