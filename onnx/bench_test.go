package onnx_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
)

// generatedNodes is a chain of n nodes with names, attributes, value_info and
// a small weight for every fourth node, as exporters write them.
func generatedNodes(n int) *onnx.Model {
	g := &onnx.Graph{Name: "chain"}
	shape := &onnx.Shape{Dim: []onnx.Dim{{Kind: onnx.DimParam, Param: "batch"}, {Kind: onnx.DimValue, Value: 64}}}
	value := func(name string) *onnx.ValueInfo {
		return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: shape}}}
	}
	g.Input = []*onnx.ValueInfo{value("x0")}
	for i := range n {
		node := &onnx.Node{Name: fmt.Sprintf("/layers.%d/op", i), OpType: "LeakyRelu", Input: []string{fmt.Sprintf("x%d", i)},
			Output: []string{fmt.Sprintf("x%d", i+1)}, Attribute: []*onnx.Attribute{{Name: "alpha", Type: onnx.AttrFloat, F: 0.25}}}
		if i%4 == 0 {
			w := onnx.FromFloat32s([]int64{64}, make([]float32, 64))
			w.Name = fmt.Sprintf("layers.%d.bias", i)
			g.Initializer = append(g.Initializer, w)
			node.OpType, node.Attribute = "Add", nil
			node.Input = append(node.Input, w.Name)
		}
		g.Node = append(g.Node, node)
		g.ValueInfo = append(g.ValueInfo, value(node.Output[0]))
	}
	g.Output = []*onnx.ValueInfo{value(fmt.Sprintf("x%d", n))}
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: g}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			data := write(b, generatedNodes(n))
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := onnx.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			data := write(b, generatedNodes(n))
			m, err := onnx.Decode(data)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := onnx.Write(io.Discard, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen: the cost does not depend on the weights.
func BenchmarkOpen(b *testing.B) {
	for _, mib := range []int64{4, 64} {
		b.Run(fmt.Sprintf("MiB=%d", mib), func(b *testing.B) {
			path := b.TempDir() + "/m.onnx"
			if err := onnx.Save(path, generated(mib<<20), onnx.SaveOptions{}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				m, err := onnx.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestLargeGraphUnchanged: 20,000 nodes decode and encode to the same bytes.
func TestLargeGraphUnchanged(t *testing.T) {
	data := write(t, generatedNodes(20_000))
	m, err := onnx.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(write(t, m), data) {
		t.Error("bytes changed")
	}
}
