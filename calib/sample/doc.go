// Package sample reads the samples that models are calibrated and compared
// on: NumPy arrays (.npy, .npz), ONNX test data sets (.pb), pictures (JPEG,
// PNG, WebP) with preprocessing, raw .bin files, folders of any of these, and
// random numbers on demand.
//
// Load looks at headers only; contents are read one sample at a time. Files
// are untrusted: sizes are checked against the model's inputs before memory
// is taken, pickles are refused, archives cannot expand beyond a limit.
//
// # Which axis holds the samples
//
// An array that has the shape of the input is one sample. A leading axis that
// the input does not have, or that is longer than a batch dimension of 1, and
// the leading axis of an array for a symbolic batch dimension, counts samples.
// A missing leading axis is added. Inputs with a fixed batch above 1 get that
// many samples at a time, the last ones repeated to fill up.
package sample
