//go:build unix

package all

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// assembly builds a model node by node.
type assembly struct{ graph *onnx.Graph }

func (a assembly) add(op string, out string, in ...string) {
	a.graph.Node = append(a.graph.Node, &onnx.Node{OpType: op, Input: in, Output: []string{out}})
}

func (a assembly) weight(name string, dims ...int64) string {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = 1 + float32(i%7)/8
	}
	t := onnx.From(dims, x)
	t.Name = name
	a.graph.Initializer = append(a.graph.Initializer, t)
	return name
}

func floats(name string, dims ...int64) *onnx.ValueInfo {
	s := &onnx.Shape{}
	for _, d := range dims {
		s.Dim = append(s.Dim, onnx.Dim{Kind: onnx.DimValue, Value: d})
	}
	return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: s}}}
}

func assembled(build func(a assembly) string) *onnx.Model {
	a := assembly{&onnx.Graph{Name: "g", Input: []*onnx.ValueInfo{floats("x", 1, 4, 2, 2)}}}
	a.graph.Output = []*onnx.ValueInfo{floats(build(a), 1, 4, 2, 2)}
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: a.graph}
}

// blocks is a network of n nodes: convolutions with all that cleanup takes away, and residual additions.
func blocks(n int) *onnx.Model {
	return assembled(func(a assembly) string {
		x := "x"
		for i := range n / 5 {
			p := fmt.Sprintf("b%d_", i)
			a.add("Conv", p+"c", x, a.weight(p+"w", 4, 4, 1, 1))
			a.add("BatchNormalization", p+"n", p+"c", a.weight(p+"s", 4), a.weight(p+"b", 4), a.weight(p+"m", 4), a.weight(p+"v", 4))
			a.add("Relu", p+"r", p+"n")
			a.add("Identity", p+"i", p+"r")
			a.add("Add", p+"a", p+"i", x)
			x = p + "a"
		}
		return x
	})
}

// hub is a network of n nodes that all read one activation and one weight.
func hub(n int) *onnx.Model {
	return assembled(func(a assembly) string {
		w := a.weight("w", 4, 4, 1, 1)
		a.add("MaxPool", "h", "x")
		a.graph.Node[0].Attribute = []*onnx.Attribute{{Name: "kernel_shape", Type: onnx.AttrInts, Ints: []int64{1, 1}}}
		sum := "h"
		for i := range n / 2 {
			p := fmt.Sprintf("h%d_", i)
			a.add("Conv", p+"c", "h", w)
			a.add("Add", p+"a", p+"c", sum)
			sum = p + "a"
		}
		return sum
	})
}

// wide is a network of n nodes that meet in one Concat.
func wide(n int) *onnx.Model {
	return assembled(func(a assembly) string {
		w := a.weight("w", 1, 4, 1, 1)
		var parts []string
		for i := range n / 2 {
			p := fmt.Sprintf("w%d_", i)
			a.add("Conv", p+"c", "x", w)
			a.add("Relu", p+"r", p+"c")
			parts = append(parts, p+"r")
		}
		a.add("Concat", "cat", parts...)
		a.graph.Node[len(a.graph.Node)-1].Attribute = []*onnx.Attribute{{Name: "axis", Type: onnx.AttrInt, I: 1}}
		a.add("Conv", "y", "cat", a.weight("last", 4, int64(n/2), 1, 1))
		return "y"
	})
}

// nested is blocks inside a branch of an If.
func nested(n int) *onnx.Model {
	m := blocks(n)
	then := *m.Graph
	then.Name, then.Input, then.Initializer = "then", nil, nil
	otherwise := &onnx.Graph{Name: "else", Output: []*onnx.ValueInfo{floats("e", 1, 4, 2, 2)},
		Node: []*onnx.Node{{OpType: "Identity", Input: []string{"x"}, Output: []string{"e"}}}}
	cond := &onnx.ValueInfo{Name: "cond", Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Bool, Shape: &onnx.Shape{}}}}
	m.Graph.Input = append(m.Graph.Input, cond)
	m.Graph.Output = []*onnx.ValueInfo{floats("y", 1, 4, 2, 2)}
	m.Graph.Node = []*onnx.Node{{OpType: "If", Input: []string{"cond"}, Output: []string{"y"}, Attribute: []*onnx.Attribute{
		{Name: "then_branch", Type: onnx.AttrGraph, G: &then}, {Name: "else_branch", Type: onnx.AttrGraph, G: otherwise}}}}
	return m
}

var networks = []struct {
	name string
	make func(nodes int) *onnx.Model
}{{"blocks", blocks}, {"hub", hub}, {"wide", wide}, {"nested", nested}}

// pipeline is a stage of whole jobs; every round works on a graph of its own.
func pipeline(b *testing.B, m *onnx.Model, spec string, dry bool) {
	steps, err := passes.Parse(Passes, spec)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		job := passes.Job{Model: m, Set: Set(), Steps: steps, Target: target.Lookup("ort"), DryRun: dry, Arrange: passes.PipelineOptions{NoPrep: true}}
		if _, err := passes.Run(context.Background(), job); err != nil {
			b.Fatal(err)
		}
	}
}

// processorTime is what the process has used so far, of all cores: unlike the
// time of day it does not depend on what else the machine does.
func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkScale shows what a node costs at three sizes, stage by stage. The
// figure to look at is cpu-ns/node; it is constant but for caches that
// overflow and, in a single round, for the set-up of the stage.
func BenchmarkScale(b *testing.B) {
	for _, network := range networks {
		for _, n := range []int{1000, 10000, 100000} {
			m := network.make(n)
			for _, stage := range []struct {
				name string
				run  func(b *testing.B)
			}{
				{"import", func(b *testing.B) {
					for b.Loop() {
						imported(b, m)
					}
				}},
				{"infer", func(b *testing.B) {
					g := imported(b, m)
					for b.Loop() {
						if err := g.Infer(); err != nil {
							b.Fatal(err)
						}
					}
				}},
				{"verify", func(b *testing.B) {
					g := imported(b, m)
					if err := g.Infer(); err != nil {
						b.Fatal(err)
					}
					for b.Loop() {
						if err := verify.Model(g); err != nil {
							b.Fatal(err)
						}
					}
				}},
				{"clone", func(b *testing.B) {
					g := imported(b, m)
					for b.Loop() {
						g.Clone()
					}
				}},
				{"write", func(b *testing.B) {
					for b.Loop() {
						if err := onnx.Write(io.Discard, m); err != nil {
							b.Fatal(err)
						}
					}
				}},
				{"cleanup", func(b *testing.B) { pipeline(b, m, "cleanup", false) }},
				{"opset", func(b *testing.B) { pipeline(b, m, "opset:to=19", false) }},
				{"quant plan", func(b *testing.B) { pipeline(b, m, "quant", true) }},
			} {
				b.Run(fmt.Sprintf("%s/%s/%d", network.name, stage.name, n), func(b *testing.B) {
					start := processorTime(b)
					stage.run(b)
					b.ReportMetric(float64(processorTime(b)-start)/float64(b.N)/float64(n), "cpu-ns/node")
				})
			}
		}
	}
}

func imported(b *testing.B, m *onnx.Model) *graph.Model {
	g, err := graph.Import(m)
	if err != nil {
		b.Fatal(err)
	}
	return g
}
