package target

import "github.com/onnxpass/onnxpass/onnx"

// floats are the elements of a floating-point tensor; nil when it is none or cannot be read.
func floats(t *onnx.Tensor) []float32 {
	f, err := t.Float32s()
	if err != nil {
		return nil
	}
	return f
}

// integers are the elements of an integer tensor; nil when it is none or cannot be read.
func integers(t *onnx.Tensor) []int64 {
	v, err := t.Int64s()
	if err != nil {
		return nil
	}
	return v
}

// trueAnywhere says whether a bool tensor holds a true element.
func trueAnywhere(t *onnx.Tensor) bool {
	for _, v := range integers(t) {
		if v != 0 {
			return true
		}
	}
	return false
}
