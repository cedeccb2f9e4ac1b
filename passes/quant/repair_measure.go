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

// What the original computes is kept for several waves, so that it is run in few pieces.
const (
	mostTargets = 6 << 20  // bytes of targets
	mostOutputs = 16 << 20 // bytes of the outputs of one run
)

// aim runs the original up to wave i, and some behind it, and keeps what the layers there compute.
func (r *repair) aim(ctx context.Context, i int) error {
	if r.targets[r.waves[i][0]] != nil {
		return nil
	}
	layers := r.ahead(i)
	ys := make([]*graph.Value, len(layers))
	for k, l := range layers {
		ys[k] = l.y
		r.targets[l] = make([]*layerwise.Target, r.teacher.Len())
	}
	step, err := r.teacher.Open(ctx, ys, calib.StepOptions{Advance: true})
	if err != nil {
		return err
	}
	defer step.Close()
	return calib.InTurn(r.teacher.Len(), r.threads(), func(s int, _ func(func() error) error) error {
		return step.Run(ctx, s, nil, func(y []calib.Array) error {
			for k, l := range layers {
				t, err := layerwise.NewTarget(l.matrix, y[k], s, r.perSample(l))
				if err != nil {
					return err
				}
				r.targets[l][s] = t
			}
			return nil
		})
	})
}

// ahead are the layers of wave i and of those behind it, as far as the limits
// and the next enlargement of the samples allow.
func (r *repair) ahead(i int) []*rebuilt {
	var out []*rebuilt
	var targets, outputs int64
	for k, w := range r.waves[i:] {
		for _, l := range w {
			n := min(int64(r.perSample(l)), elements(l.spatial)) * int64(r.teacher.Len())
			targets += 4 * n * int64(l.matrix.Channels())
			outputs += r.bytes(l.y)
		}
		if k > 0 && (targets > mostTargets || outputs > mostOutputs || r.extends(i+k)) {
			break
		}
		out = append(out, w...)
	}
	return out
}

// look runs the quantized model up to a wave and keeps what its layers read, by value.
func (r *repair) look(ctx context.Context, wave []*rebuilt) (map[*graph.Value][]*layerwise.Input, error) {
	inputs := map[*graph.Value][]*layerwise.Input{}
	var xs []*graph.Value
	for _, l := range wave {
		xs = append(xs, read(l))
		inputs[read(l)] = make([]*layerwise.Input, r.student.Len())
	}
	step, err := r.student.Open(ctx, xs, calib.StepOptions{Advance: true})
	if err != nil {
		return nil, err
	}
	defer step.Close()
	return inputs, calib.InTurn(r.student.Len(), r.threads(), func(s int, _ func(func() error) error) error {
		return step.Run(ctx, s, nil, func(arrays []calib.Array) error {
			for k, x := range xs {
				if inputs[x][s] != nil {
					continue
				}
				scale, zero := decoding(wave[k], x)
				var err error
				if inputs[x][s], err = layerwise.NewInput(arrays[k], scale, zero); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// decoding is the scale and the zero point of the codes that a layer reads.
func decoding(l *rebuilt, codes *graph.Value) (scale float64, zero int) {
	d := l.node.In(0).Def()
	if d == nil || d.In(0) != codes {
		return 1, 0
	}
	s, err := d.In(1).Const().Float32s()
	if err != nil || len(s) == 0 {
		return 1, 0
	}
	if z := d.In(2); z != nil {
		list, err := z.Const().Int64s()
		if err == nil && len(list) > 0 {
			zero = int(list[0])
		}
	}
	return float64(s[0]), zero
}

// measure takes the moments of a layer. It is nil when no sample is finite there.
func (r *repair) measure(ctx context.Context, l *rebuilt, inputs []*layerwise.Input) (*measured, error) {
	w, err := l.weight.data.Float32s()
	if err != nil {
		return nil, err
	}
	s := &layerwise.Study{Layer: l.matrix, Base: layerwise.Matrix(l.matrix, w), Bias: l.adds, Tools: r.tools(ctx)}
	all, err := r.sights(l, s, inputs)
	if err != nil {
		return nil, err
	}
	var fit, check, any []*layerwise.Sight
	for i, v := range all {
		switch {
		case v == nil:
			continue
		case i%4 == 3: // every fourth sample is put aside for judging
			check = append(check, v)
		default:
			fit = append(fit, v)
		}
		any = append(any, v)
	}
	if len(any) == 0 {
		return nil, nil
	}
	m := &measured{base: s.Base}
	if m.scatter, err = s.Scatter(any); err != nil || !r.fits(l) || len(fit) == 0 || len(check) == 0 {
		return m, err
	}
	if m.fit, err = s.Moments(fit); err != nil {
		return nil, err
	}
	m.check, err = s.Moments(check)
	return m, err
}

// sights joins what a layer reads with what it should compute, by sample; nil for a sample that tells nothing.
func (r *repair) sights(l *rebuilt, s *layerwise.Study, inputs []*layerwise.Input) ([]*layerwise.Sight, error) {
	out := make([]*layerwise.Sight, len(inputs))
	return out, calib.InTurn(len(inputs), r.threads(), func(i int, _ func(func() error) error) error {
		var err error
		out[i], err = s.Sight(inputs[i], r.targets[l][i])
		return err
	})
}

// fits says whether anything but rounding to nearest is to be tried for a layer.
func (r *repair) fits(l *rebuilt) bool {
	return (r.opt.Refit || r.opt.Rounding == RoundFeedback) && !l.shared && l.matrix.Cols <= r.effort.columns && r.rows(l) >= l.matrix.Cols
}
