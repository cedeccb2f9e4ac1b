package diag

var inferCodes = []Entry{
	{"OP3201", "shapes contradict each other", `Two dimensions that an operator needs to agree differ (for instance the inner
dimensions of a MatMul), or a shape cannot hold the elements it is given. The model fails in every runtime. Check the
exporter, and whether the model was edited by hand; the message names the operator and both shapes.`},
	{"OP3203", "a tensor has the wrong rank", `An operator needs a tensor of another number of dimensions than it gets.`},
	{"OP3204", "an attribute or a constant operand is out of range", `An axis lies outside the tensor, a stride is not positive, or a
list has the wrong length. The operator is defined for no execution.`},
	{"OP3205", "an inferred type contradicts the declared one", `The file declares a type or shape for a value that cannot be what the
operators before it compute. The declaration is wrong or an operator is; a runtime refuses or ignores it.`},
}
