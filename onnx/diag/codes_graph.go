package diag

var graphCodes = []Entry{
	{"OP3101", "A part of the model is missing", `The model has no graph, or a list in it holds an empty entry where a node, value or tensor must stand. The file is damaged or was assembled by hand. Export the model again.`},
	{"OP3102", "A name is defined twice", `ONNX graphs are in static single assignment form: every value name is defined once, by a graph input, an initializer or one node output. With two definitions a reader cannot tell which one a node means. Rename one of them in the exporter.`},
	{"OP3103", "A value is read that nothing defines", `A node input or a graph output names a value that is no graph input, no initializer and no output of a node in this graph or an enclosing one. Usually a node was removed by hand, or an initializer was left out of the file.`},
	{"OP3104", "The graph has a cycle", `The output of a node feeds, through other nodes, the node itself. ONNX graphs have no cycles; repetition is written as Loop or Scan. Nodes that merely stand in the wrong order are sorted without a message.`},
	{"OP3105", "Subgraphs are nested too deep", `If, Loop and Scan bodies are nested deeper than 64 levels. No exporter writes this; the file is damaged or hostile.`},
	{"OP3106", "A graph input or initializer has no name", `Graph inputs and initializers are found by name, and the empty name stands for an absent optional input. Give it a name.`},
	{"OP3107", "An output cannot keep its name", `After the edits of a pass, an output of the graph would need a name that another input or output owns. The names of inputs and outputs are never changed, so the model cannot be written. Please report the command and the model.`},
}
