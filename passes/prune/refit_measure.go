package prune

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// measured is what a layer was seen to do: moments for fitting and others for judging.
type measured struct {
	base       []float32 // the weight as it is, in the order of the matrices
	fit, check *layerwise.Moments
	scatter    *layerwise.Scatter
}

// measure runs the samples up to the layer in both models. It is nil when no sample is finite there.
func (r *refit) measure(ctx context.Context, f *fitted) (*measured, error) {
	probe, err := r.probe(f)
	if err != nil {
		return nil, err
	}
	teacher, err := r.teacher.Open(ctx, []*graph.Value{f.y}, calib.StepOptions{Advance: true, Edit: f.target})
	if err != nil {
		return nil, err
	}
	defer teacher.Close()
	student, err := r.student.Open(ctx, f.inputs(), calib.StepOptions{Advance: true, Edit: func(piece *graph.Model) ([]*graph.Value, error) {
		for _, v := range f.added {
			if v.Const() != nil {
				probe.Added = append(probe.Added, piece.Main.Init("onnxpass_added", v.Const()))
			} else {
				probe.Added = append(probe.Added, piece.Main.Value(v.Name()))
			}
		}
		return probe.Attach(piece, piece.Main.Value(f.node.In(0).Name())), nil
	}})
	if err != nil {
		return nil, err
	}
	defer student.Close()
	m := &measured{probe.Base, layerwise.NewMoments(f.matrix, probe.Products), layerwise.NewMoments(f.matrix, probe.Products), layerwise.NewScatter(f.matrix)}
	err = calib.InTurn(r.teacher.Len(), r.parallel(), func(i int, ordered func(func() error) error) error {
		return teacher.Run(ctx, i, nil, func(y []calib.Array) error {
			in := map[string]calib.Array{layerwise.TargetInput: y[0], layerwise.OffsetInput: probe.Offset(i, y[0].Shape)}
			return student.Run(ctx, i, in, func(sums []calib.Array) error {
				return ordered(func() error { return m.add(i, sums) })
			})
		})
	})
	if err != nil || m.fit.N == 0 {
		return nil, err
	}
	return m, nil
}

// add puts every fourth sample aside for judging.
func (m *measured) add(i int, sums []calib.Array) error {
	to := m.fit
	if i%4 == 3 {
		to = m.check
	}
	ok, err := to.Add(sums)
	if err != nil || !ok {
		return err
	}
	return m.scatter.Add(sums)
}

// target picks the channels of the original's output that are left.
func (f *fitted) target(piece *graph.Model) ([]*graph.Value, error) {
	y := piece.Main.Value(f.y.Name())
	if f.rows == nil {
		return []*graph.Value{y}, nil
	}
	list := make([]int64, len(f.rows))
	for i, m := range f.rows {
		list[i] = int64(m)
	}
	b := builder{piece.Main}
	return []*graph.Value{b.with("Gather", []*onnx.Attribute{{Name: "axis", Type: onnx.AttrInt, I: int64(f.axis)}}, y, b.list(list...))}, nil
}

// probe takes the layer's moments against its weights and bias as they are.
func (r *refit) probe(f *fitted) (*layerwise.Probe, error) {
	l, _ := plainLayer(f.node)
	w, err := f.node.In(l.sink.Weight).Const().Float32s()
	if err != nil {
		return nil, err
	}
	p := &layerwise.Probe{Layer: f.matrix, Base: layerwise.Matrix(f.matrix, w)}
	if bias, ok := l.bias(); ok && !f.node.Is("MatMul") {
		for _, x := range bias {
			p.Bias = append(p.Bias, float32(x))
		}
	}
	rows := refitRows * f.matrix.Cols
	p.Step = layerwise.Step(f.spatial, int64(rows/r.teacher.Len()+1))
	positions := r.teacher.Len()
	for _, d := range f.spatial {
		positions *= int(d)
	}
	p.Products = f.matrix.Cols <= refitColumns && positions >= f.matrix.Cols
	return p, nil
}
