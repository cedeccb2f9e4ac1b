package weights

import (
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

// measure runs the samples up to the layer in both models.
func (w *walk) measure(s *stop, base []float32) (*measured, error) {
	probe := w.probe(s, base)
	advance := calib.StepOptions{Advance: true}
	teacher, err := w.teacher.Open(w.ctx, []*graph.Value{s.y}, advance)
	if err != nil {
		return nil, err
	}
	defer teacher.Close()
	x := s.node.In(0)
	advance.Edit = func(piece *graph.Model) ([]*graph.Value, error) {
		return probe.Attach(piece, piece.Main.Value(x.Name())), nil
	}
	student, err := w.student.Open(w.ctx, []*graph.Value{x}, advance)
	if err != nil {
		return nil, err
	}
	defer student.Close()
	m := &measured{base, layerwise.NewMoments(s.matrix, probe.Products), layerwise.NewMoments(s.matrix, probe.Products),
		layerwise.NewScatter(s.matrix)}
	err = calib.InTurn(w.teacher.Len(), w.threads(), func(i int, ordered func(func() error) error) error {
		return teacher.Run(w.ctx, i, nil, func(y []calib.Array) error {
			in := map[string]calib.Array{layerwise.TargetInput: y[0], layerwise.OffsetInput: probe.Offset(i, y[0].Shape)}
			return student.Run(w.ctx, i, in, func(sums []calib.Array) error {
				return ordered(func() error { return m.add(i, sums) })
			})
		})
	})
	return m, err
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

// probe is the piece of graph that takes a layer's moments against its original weights and bias.
func (w *walk) probe(s *stop, base []float32) *layerwise.Probe {
	samples := w.teacher.Len()
	rows := max(w.o.Rows*s.Cols, fewRows)
	positions := samples
	for _, d := range s.spatial {
		positions *= int(d)
	}
	return &layerwise.Probe{
		Layer: s.matrix, Base: base, Bias: s.adds,
		Step:     layerwise.Step(s.spatial, int64(rows/samples+1)),
		Products: !s.shared && (w.o.Feedback || w.o.Refit || w.o.Retable || w.o.Rescale) && s.Cols <= w.o.Columns && positions >= s.Cols,
	}
}
