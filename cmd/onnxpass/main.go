// Onnxpass prepares trained ONNX models for deployment.
package main

func main() {}
