package calib

import (
	"fmt"
	"sort"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Fits checks one sample against the inputs of a model: every input is there,
// nothing else is, and element types, ranks, known dims and byte counts agree.
// The error is OP6351.
func Fits(inputs []Port, in map[string]Array) error {
	for _, p := range inputs {
		a, ok := in[p.Name]
		if !ok {
			return diag.New("OP6351", "the sample lacks an input of the model", "input", p.Name, "wanted", p.TypeString())
		}
		if err := fits(p, a); err != nil {
			return err
		}
	}
	if len(in) == len(inputs) {
		return nil
	}
	return diag.New("OP6351", "the sample has an array that is no input of the model",
		"found", strings.Join(extra(inputs, in), ", "), "wanted", portNames(inputs))
}

// Executable refuses a port that cannot be an Array: sequences, maps, sparse
// tensors, strings. kind is "input" or "output". The error is OP6353.
func Executable(kind string, p Port) error {
	if p.Other != nil {
		return diag.New("OP6353", "an "+kind+" of the model is not a tensor", kind, p.Name).
			Hinted("models with sequences or maps at their interface cannot be executed")
	}
	if p.Elem.Bits() == 0 {
		return diag.New("OP6353", "an "+kind+" of the model has an element type that cannot be executed",
			kind, p.Name, "found", p.Elem.String(), "wanted", "numbers or booleans")
	}
	return nil
}

func fits(p Port, a Array) error {
	mismatch := func(what string) error {
		return diag.New("OP6351", what, "input", p.Name, "wanted", p.TypeString(), "found", a.String())
	}
	if a.Type != p.Elem {
		return mismatch("the sample's element type is not the input's")
	}
	if p.Shape.Ranked && len(p.Shape.Dims) != len(a.Shape) {
		return mismatch("the sample's rank is not the input's")
	}
	for i, d := range a.Shape {
		if d < 0 || p.Shape.Ranked && p.Shape.Dims[i].Value >= 0 && p.Shape.Dims[i].Value != d {
			return mismatch("the sample's shape is not the input's")
		}
	}
	n, ok := ByteLen(a.Type, a.Shape)
	if !ok {
		return mismatch("the sample's shape is too large")
	}
	if n != int64(len(a.Bytes)) {
		return diag.New("OP6351", "the sample's bytes do not fill its shape", "input", p.Name,
			"wanted", fmt.Sprintf("%d bytes for %v", n, a.Shape), "found", fmt.Sprint(len(a.Bytes)))
	}
	return nil
}

// ByteLen is the size in memory of a tensor; false when the type has no fixed
// size or the size overflows.
func ByteLen(t onnx.DataType, shape []int64) (int64, bool) {
	n := int64(t.Bits())
	for _, d := range shape {
		if d < 0 || d > 0 && n > (1<<62)/d {
			return 0, false
		}
		n *= d
	}
	return (n + 7) / 8, t.Bits() > 0
}

func extra(inputs []Port, in map[string]Array) []string {
	var names []string
	for name := range in {
		known := false
		for _, p := range inputs {
			known = known || p.Name == name
		}
		if !known {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func portNames(ports []Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
