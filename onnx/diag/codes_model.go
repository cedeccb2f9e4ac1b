package diag

// modelCodes documents the errors of reading and writing model files.
var modelCodes = []Entry{
	{"OP3001", "The model cannot be opened", "The path names no file, a folder, a pipe, or a file that you may not read."},
	{"OP3002", "The model file is cut short", "The file begins like an ONNX model and ends in the middle of it, as after an interrupted download or a full disk. The message says how many bytes are missing at least. Get the file again and compare its size or checksum."},
	{"OP3003", "The model file is damaged", "The file begins like an ONNX model, but at the place given there is something that protobuf does not allow. Usual causes: a download in text mode, a bad disk, a program that wrote into the file."},
	{"OP3004", "The file is not an ONNX model", "Files of other programs are recognised by their content: Git LFS pointers (run git lfs pull), PyTorch checkpoints, TensorFlow, TensorFlow Lite, Keras, OpenVINO, TensorRT, ONNX Runtime's .ort, GGUF, safetensors, archives, web pages and text. The message says what was found and which step gives an ONNX file."},
	{"OP3005", "The model file is empty", "The file has no bytes: the download or the export did not finish."},
	{"OP3006", "The model is from before ONNX 1.0", "Its IR version is below 3. Such files name no operator versions, so that the meaning of their nodes is not defined and no current runtime takes them. Export the model again."},
	{"OP3007", "The model imports no operator set", "The field opset_import is empty. Without operator versions the meaning of the nodes is not defined. Export the model again, or add the version with the tool that wrote the file."},
	{"OP3008", "The file asks for too much memory", "Decoding stops when the structures of a file (nodes, attributes, names; not weights) need more memory than 64 times the size of the file plus 64 MiB, or 4 GiB. Only files made to exhaust memory do."},
	{"OP3009", "Messages nest too deeply", "Subgraphs within subgraphs go deeper than 100 protobuf messages, the limit that runtimes have too."},
	{"OP3010", "The dims of a tensor are impossible", "A dim is negative, or the number of elements does not fit 63 bits."},
	{"OP3011", "A tensor contradicts itself", "Its content does not have the size that its type and dims ask for, lies in a field that does not belong to its type, or is given twice. Runtimes refuse or misread such tensors."},
	{"OP3012", "The model has no graph", "The file is a valid message without a graph, so there is nothing to work on."},
	{"OP3020", "An external data file is missing", "The model keeps weights in another file that is not beside it, or that cannot be read. Copy the data file into the folder of the model, under the name that the message gives."},
	{"OP3021", "An external data location is refused", "Weights may only lie in the folder of the model or below it, named by a relative path, in a regular file. Absolute paths and .. would let a model read any file of this machine."},
	{"OP3022", "External data behind a link is refused", "The data file is a symbolic link that leaves the folder of the model, or a hard link. Through links a model could make a tool publish files that do not belong to it. Put a real copy beside the model, for instance with cp -L."},
	{"OP3023", "External data has the wrong length", "The range that a tensor claims is not as long as its type and dims ask for, or reaches beyond the end of the data file. The data file is cut short or belongs to another model."},
	{"OP3024", "Tensors claim overlapping external data", "Two tensors claim ranges of the same data file that overlap without being equal. No exporter writes that."},
	{"OP3025", "External data cannot be found from a stream", "A model that comes from standard input or from memory has no folder in which its data file could be looked for. Give it as a file."},
	{"OP3026", "An external data entry is malformed", "The entry of a tensor has no location, a key twice, or an offset or length that is not a number from 0."},
	{"OP3027", "A file became shorter while in use", "Something truncated the model or its data file while it was being read. Nothing was written. Start again when the other program is done."},
	{"OP3030", "The model is too large for one file", "Protobuf messages end at 2 GiB. Let weights go to a data file beside the model: the external data mode auto does so above 1.9 GiB."},
	{"OP3031", "Saving would overwrite the input's data file", "The output, or the data file beside it, is a file that the input model still reads its weights from. Choose another output name."},
	{"OP3032", "The output path is not a file", "A folder, device or pipe is in the place where the model should be written."},
	{"OP3040", "a model with external data cannot come by pipe", "Standard input carries one file, and this model keeps weights in others. Give the path of the model file, with its data files beside it."},
}
