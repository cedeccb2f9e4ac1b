// Generate writes the models that testdata/bench/run measures on.
//
//	generate nodes N FILE   a network of N nodes: Conv, BatchNormalization, Relu, Identity, Add in turn
//	generate bytes N FILE   a chain of MatMul with N MiB of weights
package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"

	"github.com/onnxpass/onnxpass/onnx"
)

func main() {
	if err := generate(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: generate nodes|bytes N FILE")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return fmt.Errorf("not a size: %s", args[1])
	}
	m := network(n)
	if args[0] == "bytes" {
		m = chain(n)
	}
	return onnx.Save(args[2], m, onnx.SaveOptions{Unsynced: true})
}

// channels of every feature map of network.
const channels = 8

func network(nodes int) *onnx.Model {
	g := &onnx.Graph{Name: "nodes", Input: []*onnx.ValueInfo{floats("x", 1, channels, 4, 4)}}
	add := func(op, out string, in ...string) string {
		g.Node = append(g.Node, &onnx.Node{OpType: op, Name: op + "_" + out, Input: in, Output: []string{out}})
		return out
	}
	r := rand.New(rand.NewPCG(1, 2))
	weight := func(name string, dims ...int64) string {
		g.Initializer = append(g.Initializer, random(r, name, dims))
		return name
	}
	x := "x"
	for i := range nodes / 5 {
		p := strconv.Itoa(i)
		c := add("Conv", "c"+p, x, weight("w"+p, channels, channels, 1, 1))
		b := add("BatchNormalization", "b"+p, c, weight("s"+p, channels), weight("t"+p, channels), weight("m"+p, channels), weight("v"+p, channels))
		x = add("Add", "a"+p, add("Identity", "i"+p, add("Relu", "r"+p, b)), x)
	}
	g.Output = []*onnx.ValueInfo{floats(x, 1, channels, 4, 4)}
	return model(g)
}

// tensorMiB is the size of one weight of chain: 2048 x 4096 float32.
const tensorMiB = 32

func chain(mib int) *onnx.Model {
	g := &onnx.Graph{Name: "bytes", Input: []*onnx.ValueInfo{floats("x", 1, 2048)}}
	x, width := "x", int64(2048)
	for i := range max(1, mib/tensorMiB) {
		w, y := fmt.Sprintf("w%d", i), fmt.Sprintf("y%d", i)
		next := 2048 + 4096 - width
		g.Initializer = append(g.Initializer, &onnx.Tensor{Name: w, Type: onnx.Float, Dims: []int64{width, next}, Data: noise(uint64(i))})
		g.Node = append(g.Node, &onnx.Node{OpType: "MatMul", Input: []string{x, w}, Output: []string{y}})
		x, width = y, next
	}
	g.Output = []*onnx.ValueInfo{floats(x, 1, width)}
	return model(g)
}

// noise is tensorMiB of float32 that no compression makes smaller.
func noise(seed uint64) onnx.Data {
	return onnx.Lazy(tensorMiB<<20, func() ([]byte, error) {
		b := make([]byte, tensorMiB<<20)
		r := rand.New(rand.NewPCG(seed, 1))
		for i := 0; i < len(b); i += 4 {
			binary.LittleEndian.PutUint32(b[i:], math.Float32bits(float32(r.Float64())-0.5))
		}
		return b, nil
	})
}

func random(r *rand.Rand, name string, dims []int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = 0.1 + float32(r.Float64())/8
	}
	t := onnx.FromFloat32s(dims, x)
	t.Name = name
	return t
}

func floats(name string, dims ...int64) *onnx.ValueInfo {
	s := &onnx.Shape{}
	for _, d := range dims {
		s.Dim = append(s.Dim, onnx.Dim{Kind: onnx.DimValue, Value: d})
	}
	return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: s}}}
}

func model(g *onnx.Graph) *onnx.Model {
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: g}
}
