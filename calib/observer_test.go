package calib_test

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// gram is an observer whose work the runtime does: it adds X^T X of a matrix
// of rows to the model, and sums it over the samples.
type gram struct {
	value string
	n     int
	sum   []float64
}

func (g *gram) Prepare(clone *graph.Model) ([]*graph.Value, error) {
	v, err := calib.Find(clone, g.value)
	if err != nil {
		return nil, err
	}
	rows := clone.Main.Init("rows", onnx.FromInt64s([]int64{2}, []int64{-1, int64(g.n)}))
	end := clone.Main.End()
	flat := end.Op("Reshape", "flat", v, rows).Out(0)
	turned := end.Op("Transpose", "turned", flat).Out(0)
	return []*graph.Value{end.Op("MatMul", "gram", turned, flat).Out(0), v}, nil
}

func (g *gram) Observe(_ int, arrays []calib.Array) error {
	var scratch []float64
	x, err := arrays[0].Float64s(&scratch)
	if err != nil {
		return err
	}
	if g.sum == nil {
		g.sum = make([]float64, len(x))
	}
	for i, v := range x {
		g.sum[i] += v
	}
	return nil
}

// Observers can put work into the graph that runs; the model itself stays as it is.
func TestObserverThatExtendsTheGraph(t *testing.T) {
	rt := orttest.Runner(t)
	m := kitModel(t, "cifar10_resnet20", "cifar10")
	var features *graph.Value
	for n := range m.model.Main.Nodes() {
		if n.Is("Gemm", "MatMul") {
			features = n.In(0)
		}
	}
	if features == nil {
		t.Fatal("the model has no matrix product")
	}
	edits := m.model.Edits()
	c := &calib.Calibration{Runner: rt, Samples: load(t, m.model, m.data, 5)}
	g, missing := &gram{value: features.Name(), n: 64}, &gram{value: "nowhere", n: 64}
	reasons, err := c.Observe(context.Background(), m.model, []calib.Observer{g, missing})
	if err != nil {
		t.Fatal(err)
	}
	if reasons[0] != nil || reasons[1] == nil || m.model.Edits() != edits {
		t.Errorf("reasons %v, %d edits", reasons, m.model.Edits()-edits)
	}
	s := collect(t, c, m, []calib.Request{{Value: features.Name()}}).Stats(features.Name())
	trace := 0.0
	for i := range 64 {
		trace += g.sum[i*64+i]
	}
	// The runtime sums 64 float32 products for each sample.
	if want := s.Squares.Value(); math.Abs(trace-want) > 1e-5*want {
		t.Errorf("trace %v, sum of squares %v", trace, want)
	}
}
