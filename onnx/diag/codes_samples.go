package diag

// samplesCodes are about samples, calibration and comparison.
var samplesCodes = []Entry{
	{"OP6001", "no calibration samples", "The pass needs statistics of activations, which come from running the model on samples. Give some with --data: .npy or .npz files, ONNX test_data_set folders, folders of pictures, raw .bin files, or several of them. --data random makes random numbers up; that is good for trying things out and nothing else."},
	{"OP6002", "no samples to compare the models on", "Comparing two models needs samples to run both of them on: held-out ones are taken from --data, others can be given with --verify-data."},
	{"OP6030", "statistics tables do not fit together", "Saved statistics can be merged when they come from the same model and runtime and from different samples. Merging statistics over the same samples twice would count them twice."},
	{"OP6040", "the two models have different numbers of outputs", "Outputs are compared by position, so both models need the same number of them."},
	{"OP6041", "the two models' outputs differ in shape", "For the same sample the two models gave arrays of different shapes, so their elements cannot be compared."},
}
