package onnx

// file is an opened model file: the mapping that tensors alias.
type file struct{}
