//go:build !onnxpass_noexec

package infer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// kitSizes are two settings of the open input dimensions of each real model, by
// symbol or, for dimensions without a name, by input and axis.
var kitSizes = map[string][2]map[string]int64{
	"cifar10_resnet20":    {{"N": 2}, {"N": 3}},
	"cifar10_vit_pgd":     {{"batch_size": 2}, {"batch_size": 3}},
	"efficientnet_lite0":  {{"N": 1}, {"N": 2}},
	"nnsplit_en":          {{"batch": 2, "length": 30}, {"batch": 3, "length": 40}},
	"ppocr_cls":           {{"p2o.DynamicDimension.0": 2, "p2o.DynamicDimension.1": 48, "p2o.DynamicDimension.2": 192}, {"p2o.DynamicDimension.0": 1, "p2o.DynamicDimension.1": 48, "p2o.DynamicDimension.2": 160}},
	"ppocrv4_rec":         {{"p2o.DynamicDimension.0": 1, "p2o.DynamicDimension.1": 320}, {"p2o.DynamicDimension.0": 2, "p2o.DynamicDimension.1": 200}},
	"silero_vad_v6":       {{"input/0": 1, "input/1": 576, "state/1": 1}, {"input/0": 2, "input/1": 576, "state/1": 2}},
	"vww_mobilenetv1_025": {{"N": 2}, {"N": 3}},
	"yunet_n_dynamic":     {{"batch": 1, "height": 96, "width": 128}, {"batch": 2, "height": 160, "width": 64}},
	"blazeface_front":     {}, "mlsd_tiny_320": {}, "mnist_cntk": {}, "portrait_sinet": {}, "yolox_nano": {},
}

// TestKitAgainstRuntime infers every real model and compares each value, those in the
// branches of If included, with what ONNX Runtime computes for two settings of the
// input sizes: no answer may be wrong, and at most 2 % may be missing.
func TestKitAgainstRuntime(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/kit/models/*.onnx")
	if len(paths) == 0 {
		t.Skip("no models in ../shared/kit")
	}
	rt, _, err := ort.Discover(runtimelib.Options{})
	if d := (*diag.Error)(nil); errors.As(err, &d) {
		t.Skip("no ONNX Runtime library (set ONNXPASS_ORT_LIB)")
	}
	defer func() { _ = rt.Close() }()
	for _, path := range paths {
		name := filepath.Base(path[:len(path)-len(".onnx")])
		sizes, ok := kitSizes[name]
		if !ok {
			continue // the one that must be refused
		}
		t.Run(name, func(t *testing.T) { checkKit(t, rt, path, sizes) })
	}
}

func checkKit(t *testing.T, rt calib.Runner, path string, sizes [2]map[string]int64) {
	var runs [2]map[string]calib.Array
	for i := range runs {
		runs[i] = observe(t, rt, path, sizes[i])
	}
	for _, declared := range []bool{true, false} {
		values := inferred(t, path, declared, nil)
		for i := range runs {
			for name, real := range runs[i] {
				if why := wrong(values[name], real, sizes[i]); why != "" {
					t.Errorf("%s: %s", name, why)
				}
			}
		}
		report(t, fmt.Sprintf("declared types %v", declared), values, runs)
	}
	fixed := inferred(t, path, false, sizes[0])
	for name, real := range runs[0] {
		if why := wrong(fixed[name], real, nil); why != "" {
			t.Errorf("%s: fixed sizes: %s", name, why)
		}
	}
	report(t, "fixed sizes", fixed, [2]map[string]calib.Array{runs[0], runs[0]})
}

// report counts what is missing: element type or rank, and dimensions that have the same
// size in both runs but are not known.
func report(t *testing.T, what string, values map[string]infer.Value, runs [2]map[string]calib.Array) {
	all, types, dims, open := 0, 0, 0, 0
	for name, v := range values {
		a, ok := runs[0][name]
		b, ok1 := runs[1][name]
		if !ok || !ok1 {
			continue
		}
		all++
		if v.Elem == onnx.Undefined || !v.Shape.Ranked {
			types++
			continue
		}
		stays, missing := false, false
		for i, d := range v.Shape.Dims {
			missing = missing || !d.IsStatic() && d.Param == ""
			stays = stays || !d.IsStatic() && a.Shape[i] == b.Shape[i]
		}
		if stays {
			dims++
		}
		if missing {
			open++
		}
	}
	t.Logf("%s: %d values, %d without type or rank, %d with a constant dimension left open, %d with a dimension that has no name", what, all, types, dims, open)
	if all == 0 || types*50 > all || what == "fixed sizes" && (types+dims)*50 > all {
		t.Errorf("%s: %d and %d of %d values unknown", what, types, dims, all)
	}
}

// wrong compares an answer with an observed array.
func wrong(v infer.Value, real calib.Array, sizes map[string]int64) string {
	switch {
	case v.Elem == onnx.Undefined && !v.Shape.Ranked:
		return ""
	case v.Elem != onnx.Undefined && v.Elem != real.Type, v.Shape.Ranked && len(v.Shape.Dims) != len(real.Shape):
		return fmt.Sprintf("%s, really %s", v.Type, real)
	}
	for i, d := range v.Shape.Dims {
		n, named := infer.Evaluate(d.Param, sizes)
		if d.IsStatic() && d.Value != real.Shape[i] || !d.IsStatic() && d.Param != "" && named && n != real.Shape[i] {
			return fmt.Sprintf("%s, really %s", v.Type, real)
		}
		if !d.IsStatic() && d.Param != "" && !named {
			return fmt.Sprintf("%s: a symbol that no input has", v.Type)
		}
	}
	for i, e := range v.Ints {
		n, named := infer.Evaluate(e.Param, sizes)
		got := element(real, i)
		if e.Value != infer.Unknown && e.Value != got || e.Value == infer.Unknown && e.Param != "" && named && n != got {
			return fmt.Sprintf("content %v, really %d at %d", v.Ints, got, i)
		}
	}
	return ""
}

func element(a calib.Array, i int) int64 {
	switch a.Type {
	case onnx.Int64:
		return int64(binary.LittleEndian.Uint64(a.Bytes[8*i:]))
	case onnx.Int32:
		return int64(int32(binary.LittleEndian.Uint32(a.Bytes[4*i:])))
	}
	return int64(a.Bytes[i])
}

// inferred returns what graph inference knows of every value of the model. Without
// declared types, value_info and the types of outputs are taken out first.
func inferred(t *testing.T, path string, declared bool, sizes map[string]int64) map[string]infer.Value {
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if !declared {
		undeclare(m.Graph)
	}
	fix(m.Graph, sizes)
	g, err := graph.Import(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Infer(); err != nil {
		t.Error(err)
	}
	values := map[string]infer.Value{}
	for n := range g.All() {
		for _, v := range n.Outs() {
			if v != nil {
				values[v.Name()] = infer.Value{Type: v.Type(), Ints: v.Ints()}
			}
		}
	}
	return values
}

// undeclare drops what the file says about computed values, in subgraphs too.
func undeclare(g *onnx.Graph) {
	g.ValueInfo = nil
	for _, v := range g.Output {
		v.Type = nil
	}
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			if a.G != nil {
				undeclare(a.G)
			}
		}
	}
}

// fix gives the open dimensions of the inputs their sizes.
func fix(g *onnx.Graph, sizes map[string]int64) {
	for _, v := range g.Input {
		if v.Type == nil || v.Type.Tensor == nil || v.Type.Tensor.Shape == nil || sizes == nil {
			continue
		}
		for i := range v.Type.Tensor.Shape.Dim {
			d := &v.Type.Tensor.Shape.Dim[i]
			if n, ok := sizes[fmt.Sprintf("%s/%d", v.Name, i)]; ok {
				d.Kind, d.Value, d.Param = onnx.DimValue, n, ""
			} else if n, ok := sizes[d.Param]; ok && d.Kind == onnx.DimParam {
				d.Kind, d.Value, d.Param = onnx.DimValue, n, ""
			}
		}
	}
}

// observe runs the model with every value as an output. If nodes are replaced by the
// branch that the run takes, level by level, so that the values inside come out as well.
func observe(t *testing.T, rt calib.Runner, path string, sizes map[string]int64) map[string]calib.Array {
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	undeclare(m.Graph)
	fix(m.Graph, sizes)
	feeds := feedsFor(m.Graph)
	for range 10 {
		seen := runAll(t, rt, m, feeds)
		if !inline(m.Graph, seen) {
			return seen
		}
	}
	t.Fatal("branches nest too deeply")
	return nil
}

// inline replaces each If by the branch that its observed condition chooses.
func inline(g *onnx.Graph, seen map[string]calib.Array) bool {
	var nodes []*onnx.Node
	found := false
	for _, n := range g.Node {
		if n.OpType != "If" {
			nodes = append(nodes, n)
			continue
		}
		found = true
		branch := "else_branch"
		if seen[n.Input[0]].Bytes[0] != 0 {
			branch = "then_branch"
		}
		for _, a := range n.Attribute {
			if a.Name != branch {
				continue
			}
			nodes = append(nodes, a.G.Node...)
			g.Initializer = append(g.Initializer, a.G.Initializer...)
			for i, out := range n.Output {
				nodes = append(nodes, &onnx.Node{OpType: "Identity", Input: []string{a.G.Output[i].Name}, Output: []string{out}})
			}
		}
	}
	g.Node = nodes
	return found
}

func runAll(t *testing.T, rt calib.Runner, m *onnx.Model, feeds map[string]calib.Array) map[string]calib.Array {
	all := *m
	g := *m.Graph
	g.Output = nil
	for _, n := range g.Node {
		for _, name := range n.Output {
			if name != "" {
				g.Output = append(g.Output, &onnx.ValueInfo{Name: name})
			}
		}
	}
	all.Graph = &g
	s, err := rt.Open(context.Background(), &all, calib.OpenOptions{Optimization: calib.Exact, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	seen := map[string]calib.Array{}
	err = s.Run(context.Background(), feeds, func(out []calib.Array) error {
		for i, p := range s.Outputs() {
			a := calib.Array{Type: out[i].Type, Shape: append([]int64(nil), out[i].Shape...)}
			if len(out[i].Bytes) <= 8192 {
				a.Bytes = append([]byte(nil), out[i].Bytes...)
			}
			seen[p.Name] = a
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// feedsFor makes an array for every input: noise, or 16000 for the sampling rate.
func feedsFor(g *onnx.Graph) map[string]calib.Array {
	r := rand.New(rand.NewPCG(1, 2))
	init := map[string]bool{}
	for _, t := range g.Initializer {
		init[t.Name] = true
	}
	feeds := map[string]calib.Array{}
	for _, v := range g.Input {
		if init[v.Name] {
			continue
		}
		a := calib.Array{Type: v.Type.Tensor.Elem, Shape: []int64{}}
		n := int64(1)
		for _, d := range v.Type.Tensor.Shape.Dim {
			a.Shape = append(a.Shape, d.Value)
			n *= d.Value
		}
		for range n {
			switch a.Type {
			case onnx.Float:
				a.Bytes = binary.LittleEndian.AppendUint32(a.Bytes, math.Float32bits(r.Float32()))
			case onnx.Int64:
				a.Bytes = binary.LittleEndian.AppendUint64(a.Bytes, 16000)
			default:
				a.Bytes = append(a.Bytes, byte(r.IntN(100)))
			}
		}
		feeds[v.Name] = a
	}
	return feeds
}
