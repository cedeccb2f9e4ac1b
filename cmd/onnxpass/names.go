package main

import (
	"sort"

	"github.com/onnxpass/onnxpass/graph"
)

// checkNames refuses shapes and sizes of inputs and symbolic dimensions that the model does not have.
func checkNames(g *graph.Model, shapes map[string][]int64, sizes map[string]int64) error {
	var inputs, symbols []string
	for _, v := range g.Main.Inputs() {
		if v.IsInit() {
			continue
		}
		inputs = append(inputs, v.Name())
		for _, d := range v.Shape().Dims {
			if d.Param != "" && !has(symbols, d.Param) {
				symbols = append(symbols, d.Param)
			}
		}
	}
	for _, name := range sorted(shapes) {
		if !has(inputs, name) {
			return unknownName("--shape", "input", name, inputs)
		}
	}
	for _, name := range sorted(sizes) {
		if !has(symbols, name) {
			return unknownName("--dim", "symbolic dimension", name, symbols)
		}
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
