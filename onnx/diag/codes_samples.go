package diag

// samplesCodes are about samples, calibration and comparison.
var samplesCodes = []Entry{
	{"OP6001", "no calibration samples", "The pass needs statistics of activations, which come from running the model on samples. Give some with --data: .npy or .npz files, ONNX test_data_set folders, folders of pictures, raw .bin files, or several of them. --data random makes random numbers up; that is good for trying things out and nothing else."},
	{"OP6030", "statistics tables do not fit together", "Saved statistics can be merged when they come from the same model and runtime and from different samples. Merging statistics over the same samples twice would count them twice."},
}
