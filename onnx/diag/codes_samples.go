package diag

// samplesCodes are about samples, calibration and comparison.
var samplesCodes = []Entry{
	{"OP2060", "bad value for a sample option", "A flag about samples (size, numbers, preset, color, layout, shape) has a value that it does not take; the message lists what it takes. Numbers may be fractions such as 1/255. Sizes are WIDTHxHEIGHT. Shapes given with --shape may fill in unknown dimensions only."},
	{"OP6001", "no calibration samples", "The pass needs statistics of activations, which come from running the model on samples. Give some with --data: .npy or .npz files, ONNX test_data_set folders, folders of pictures, raw .bin files, or several of them. --data random makes random numbers up; that is good for trying things out and nothing else."},
	{"OP6002", "no samples to compare the models on", "Comparing two models needs samples to run both of them on: held-out ones are taken from --data, others can be given with --verify-data."},
	{"OP6003", "cannot read sample data", "A path given with --data does not exist, cannot be opened, or could not be read to its end."},
	{"OP6004", "the folder has no samples", "Nothing in the folder, or in the folders below it, is called like a file that can be read, or the arrays have a sample axis of length 0. Hidden files and folders are not looked at."},
	{"OP6005", "samples of this kind cannot be read", "Samples are read from .npy, .npz, ONNX input_N.pb, .jpg, .jpeg, .png, .webp, .bin and .raw files; the kind is known by the file name's ending."},
	{"OP6006", "the folder mixes kinds of samples", "A folder may hold one kind of samples; files of other kinds (labels, notes) are ignored. With several kinds it is unclear which are meant."},
	{"OP6010", "the samples lack an input of the model", "A sample brings an array for every input of the model that has no default. Models with several inputs take .npz files with an array for each input, ONNX test data sets, a folder of .npy files called like the inputs, or one --data IN=PATH for each input with equally many samples (one sample serves all)."},
	{"OP6011", "the model has no input of this name", "--data IN=PATH names an input of the model. Either every --data names an input or none does."},
	{"OP6012", "calibration data does not fit the input", "The array's shape or element type is not what the model takes. A leading axis may count samples, a missing batch axis is added, symbolic dimensions take any size. --layout nhwc says that arrays lie as height x width x channel; --scale, --mean and --std make floats of bytes. Floats of another width and integers that fit are converted."},
	{"OP6013", "sample holds NaN or infinity", "A sample has an element that is not a finite number. It would spoil ranges and every comparison, so it is refused; the message names file and element."},
	{"OP6014", "sample file is damaged or of another kind", "The file is not what its name ends in, is cut short, or contradicts itself (a header that promises more or less data than there is)."},
	{"OP6015", "sample data holds Python objects", "The .npy or .npz file holds an array of objects, which numpy stores as a pickle. Loading a pickle runs code from the file, so it is refused. Save arrays of numbers, for instance with array.astype(numpy.float32)."},
	{"OP6016", "sample is too large", "One array of one sample may take 1 GiB. Arrays that must be read as a whole (Fortran order, .pb) may have that size; .npy files in C order and .npz archives with a sample axis may be larger, because one sample is read at a time."},
	{"OP6017", "it was not said how pictures become inputs of the model", "Models differ in size, colour order and range of the pictures they take, and a wrong choice ruins accuracy without any error. Name a preset or the single settings; what a model was trained with is in its documentation or export script."},
	{"OP6018", "pictures cannot be made to fit the input", "Pictures become float or uint8 inputs of three or four dimensions with one or three channels. For anything else save arrays as .npy."},
	{"OP6019", "samples cannot be made for an input", "The input is no tensor of numbers of whole bytes (a string, a sequence, 4-bit integers), or the model has no inputs at all."},
	{"OP6020", "random samples need the sizes of all dimensions", "Dimensions that the model leaves open, other than the batch, have to be given with --dim or --shape before random samples can be made."},
	{"OP6022", "the model cannot be run on a sample", "The runtime loads the model and fails on a sample of the right shape and type: some models take only certain sizes or values (a sampling rate, an index, a window of samples). Random numbers rarely fit those."},
	{"OP6030", "statistics tables do not fit together", "Saved statistics can be merged when they come from the same model and runtime and from different samples. Merging statistics over the same samples twice would count them twice."},
	{"OP6040", "the two models have different numbers of outputs", "Outputs are compared by position, so both models need the same number of them."},
	{"OP6041", "the two models' outputs differ in shape", "For the same sample the two models gave arrays of different shapes, so their elements cannot be compared."},
}
