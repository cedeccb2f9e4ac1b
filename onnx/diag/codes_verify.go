package diag

var verifyCodes = []Entry{
	{"OP3110", "the IR version is too old or too new", `Models before IR version 3 do not say which operator sets they use, so the meaning of their nodes is not defined. Export the model again with a current exporter. A version newer than the one in the message may have fields that this program does not know: update it, or export with an earlier version.`},
	{"OP3111", "operator set imports are missing or wrong", `A model states for each operator domain which version it uses, once. Without it no node has a meaning. Of a version that is newer than the operator table of this program the rules are not known: update the program, or export with an earlier opset.`},
	{"OP3112", "the operator set of a node is not imported", `A node's domain must be among the opset_import entries of the model, or of the function that the node is in.`},
	{"OP3113", "a graph has no name", `The format demands that the main graph and every subgraph have a name.`},
	{"OP3114", "the interface of the model is incomplete", `Inputs and outputs of the main graph need a unique name, an element type and a shape. The sizes in the shape may be unknown or symbolic, the number of dimensions may not.`},
	{"OP3115", "a value is read before it is defined", `Nodes stand in topological order: each reads graph inputs, initializers and outputs of earlier nodes, or values of enclosing graphs. This is a defect of the pass that ran last.`},
	{"OP3116", "a node is empty", `A node needs an operator type and at least one input or output.`},
	{"OP3117", "a subgraph defines a name again", `A value of a subgraph must not have the name of a value that is visible there from an enclosing graph; readers resolve such names in different ways.`},
	{"OP3118", "a graph output is not defined in its graph", `An output of a graph or of an If, Loop or Scan body must be computed in that graph, or be one of its inputs or initializers. A value of the enclosing graph is passed on by an Identity node.`},
	{"OP3119", "an initializer is not an input", `In IR version 3 every initializer is listed among the graph inputs as well. Raise the IR version to 4 or later, or list it.`},
	{"OP3120", "a tensor has no element type", `The data_type of a tensor is unset or unknown to this version.`},
	{"OP3121", "the content of a tensor does not fit its dims", `Dims are not negative, their product fits into 64 bits, and the content has exactly as many bytes (or strings) as type and dims need.`},
	{"OP3122", "an attribute is wrong", `Attribute names are unique within a node; the stated type is the one that the operator defines, and the value is of that type; required attributes are there; no attribute is unknown to the operator.`},
	{"OP3123", "a node has the wrong number of inputs or outputs", `The operator defines how many inputs and outputs there are, and which of them may be left out.`},
	{"OP3124", "an element type is not allowed", `The operator does not work on this element type, or operands that must have the same type do not. A Cast is missing, or the operator set version is too low for the type.`},
	{"OP3125", "an operator does not exist in this operator set", `The standard domain has no operator of this name in the imported version, or it is deprecated there. The imported version may be wrong, or the operator belongs to another domain.`},
	{"OP3126", "a function is wrong", `Model-local functions have a unique domain, name and overload, their own operator set imports, distinct inputs, outputs and attributes, and never call themselves.`},
	{"OP3127", "a metadata key occurs twice", `The keys of one metadata_props list are distinct.`},
	{"OP3128", "a sparse tensor is wrong", `The indices of a sparse tensor are int64, one (or one tuple) for each value, sorted, and inside the dims.`},
	{"OP3129", "a name points nowhere", `A quantization annotation or training_info refers to a tensor that is not in the graph.`},
}
