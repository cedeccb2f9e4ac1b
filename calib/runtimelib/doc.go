// Package runtimelib finds, installs and opens the shared libraries that
// execute models (ONNX Runtime, OpenVINO). It knows where each distribution
// puts its files and nothing about what the libraries do.
package runtimelib
