package quant

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// measured is what a layer was seen to do: moments for fitting and others for judging.
type measured struct {
	base       []float32 // the original weight, in the order of the matrices
	fit, check *layerwise.Moments
	scatter    *layerwise.Scatter
}

// measure runs the samples up to the layer in both models. It is nil when no sample is finite there.
func (r *repair) measure(ctx context.Context, l *rebuilt) (*measured, error) {
	probe, err := r.probe(l)
	if err != nil {
		return nil, err
	}
	advance := calib.StepOptions{Advance: true}
	teacher, err := r.teacher.Open(ctx, []*graph.Value{l.y}, advance)
	if err != nil {
		return nil, err
	}
	defer teacher.Close()
	x := l.node.In(0)
	advance.Edit = func(piece *graph.Model) ([]*graph.Value, error) {
		return probe.Attach(piece, piece.Main.Value(x.Name())), nil
	}
	student, err := r.student.Open(ctx, []*graph.Value{x}, advance)
	if err != nil {
		return nil, err
	}
	defer student.Close()
	m := &measured{probe.Base, layerwise.NewMoments(l.matrix, probe.Products), layerwise.NewMoments(l.matrix, probe.Products),
		layerwise.NewScatter(l.matrix)}
	err = calib.InTurn(r.teacher.Len(), r.threads(), func(i int, ordered func(func() error) error) error {
		return teacher.Run(ctx, i, nil, func(y []calib.Array) error {
			in := map[string]calib.Array{layerwise.TargetInput: y[0], layerwise.OffsetInput: probe.Offset(i, y[0].Shape)}
			return student.Run(ctx, i, in, func(sums []calib.Array) error {
				return ordered(func() error { return m.add(i, sums) })
			})
		})
	})
	if err != nil {
		return nil, err
	}
	if m.fit.N+m.check.N == 0 {
		return nil, nil
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

// fewRows is the least number of positions to look at, however small the layer's matrix is.
const fewRows = 4096

// probe is the piece of graph that takes a layer's moments against its float weights and bias.
func (r *repair) probe(l *rebuilt) (*layerwise.Probe, error) {
	w, err := l.weight.data.Float32s()
	if err != nil {
		return nil, err
	}
	samples := r.teacher.Len()
	rows := max(r.effort.rows*l.matrix.Cols, fewRows)
	return &layerwise.Probe{
		Layer: l.matrix, Base: layerwise.Matrix(l.matrix, w), Bias: l.adds,
		Step:     layerwise.Step(l.spatial, int64(rows/samples+1)),
		Products: r.fits() && !l.shared && l.matrix.Cols <= r.effort.columns && r.rows(l) >= l.matrix.Cols,
	}, nil
}

// fits says whether anything but rounding to nearest is to be tried.
func (r *repair) fits() bool { return r.opt.Refit || r.opt.Rounding == RoundFeedback }

// rows is the number of positions of all samples.
func (r *repair) rows(l *rebuilt) int {
	return int(elements(l.spatial)) * r.teacher.Len()
}
