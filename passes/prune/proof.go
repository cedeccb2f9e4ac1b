package prune

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/axes"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// proofSamples bounds how many samples, real and random ones, two models are compared on.
const proofSamples = 3

// tolerance is the largest difference between the masked and the cut model, in
// units of the root mean square of an output; sums of other order differ by a hundredth of it.
const tolerance = 1e-4

// outliers is the share of elements that may differ by more: a network that
// compares numbers for equality turns a last bit into another answer in single places.
const outliers = 0.001

// prove runs the model with the classes silenced and the model without them,
// and refuses to go on when they differ. Where rounding alone moves the outputs
// of the silenced model by more than the tolerance, that is the bound, and a
// thousandth of the elements is left out.
func (p *pruner) prove(ctx context.Context, classes []int) error {
	masked, err := p.analysis.Mask(classes)
	if err != nil {
		return p.unproven(err)
	}
	cut := p.env.Model.Clone()
	if err := axes.Analyze(cut, p.same()).Cut(classes); err != nil {
		return diag.New("OP1003", "the cut model is not valid").Wrap(err)
	}
	return p.equal(ctx, masked, cut, "with the same channels silenced")
}

// same are the options that give the same classes for a copy of the model.
func (p *pruner) same() axes.Options {
	o, _ := p.analysisOptions()
	return o
}

// equal compares two models in the runtime.
func (p *pruner) equal(ctx context.Context, want, got *graph.Model, what string) error {
	if p.env.Runner == nil {
		return p.unproven(fmt.Errorf("there is no runtime library"))
	}
	samples, err := p.inputs(ctx, want)
	if err != nil {
		return p.unproven(err)
	}
	a, err := p.outputs(ctx, want, samples, calib.Exact)
	if err != nil {
		return p.unproven(err)
	}
	b, err := p.outputs(ctx, got, samples, calib.Exact)
	if err != nil {
		return diag.New("OP3505", "the pruned model does not run, the original "+what+" does").Wrap(err).
			Hinted("this is a defect of onnxpass; exclude the layers in question with exclude, and report the model")
	}
	worst := distance(a, b, len(samples), 0)
	bound := tolerance
	if !(worst <= bound) {
		worst = distance(a, b, len(samples), outliers)
		noise, err := p.noise(ctx, want, samples, a)
		if err != nil {
			return p.unproven(err)
		}
		bound = max(bound, 3*noise)
	}
	if !(worst <= bound) {
		return diag.New("OP3505", "the pruned model differs from the original "+what,
			"wanted", fmt.Sprintf("at most %.3g of the root mean square of an output", bound), "found", fmt.Sprintf("%.3g", worst)).
			Hinted("this is a defect of onnxpass; exclude the layers in question with exclude, and report the model")
	}
	p.proven = max(p.proven, worst)
	p.compared += len(samples)
	return nil
}

// noise is how far rounding moves the outputs of a model, which are given: when
// the runtime rewrites it, and when its inputs change in their last bits.
func (p *pruner) noise(ctx context.Context, m *graph.Model, samples []map[string]calib.Array, outputs [][]float64) (float64, error) {
	rewritten, err := p.outputs(ctx, m, samples, calib.Full)
	if err != nil {
		return 0, err
	}
	var moved []map[string]calib.Array
	for i, s := range samples {
		moved = append(moved, jitter(s, uint64(i)))
	}
	shaken, err := p.outputs(ctx, m, moved, calib.Exact)
	return max(distance(outputs, rewritten, len(samples), outliers), distance(outputs, shaken, len(samples), outliers)), err
}

// jitter is a sample whose floats are changed by up to 8 units in the last place.
func jitter(s map[string]calib.Array, seed uint64) map[string]calib.Array {
	rng := rand.New(rand.NewPCG(seed, 5))
	out := map[string]calib.Array{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		a := s[name]
		if a.Type == onnx.Float {
			a.Bytes = slices.Clone(a.Bytes)
			for i := 0; i+4 <= len(a.Bytes); i += 4 {
				x := math.Float32frombits(binary.LittleEndian.Uint32(a.Bytes[i:]))
				x *= 1 + (rng.Float32()-0.5)/(1<<19)
				binary.LittleEndian.PutUint32(a.Bytes[i:], math.Float32bits(x))
			}
		}
		out[name] = a
	}
	return out
}

// unproven notes that the comparison could not be made.
func (p *pruner) unproven(err error) error {
	p.env.Note("OP8070", "the pruned model was not compared with the original", "reason", err.Error())
	return nil
}

// inputs are samples of the user, and random ones when the sizes of the inputs are known or follow from a sample.
func (p *pruner) inputs(ctx context.Context, m *graph.Model) ([]map[string]calib.Array, error) {
	var out []map[string]calib.Array
	if c := p.env.Calib; c != nil {
		set := c.HeldOut
		if set.Len() == 0 || p.o.Constant == Observed { // which holds for those samples only
			set = c.Samples
		}
		for i := range min(proofSamples, set.Len()) {
			s, err := set.Read(ctx, i)
			if err != nil {
				return nil, err
			}
			out = append(out, s.Inputs)
		}
	}
	if len(out) > 0 && p.o.Constant == Observed {
		return out, nil
	}
	if len(out) > 0 {
		return append(out, noisy(out[0], 1)), nil
	}
	for i := range proofSamples {
		in, err := p.random(m, uint64(i))
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// noisy is a sample with random numbers in place of its floats.
func noisy(s map[string]calib.Array, seed uint64) map[string]calib.Array {
	rng := rand.New(rand.NewPCG(seed, 3))
	out := map[string]calib.Array{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		a := s[name]
		if a.Type == onnx.Float {
			a.Bytes = normal(a.Len(), rng)
		}
		out[name] = a
	}
	return out
}

func normal(n int, rng *rand.Rand) []byte {
	out := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(float32(rng.NormFloat64())))
	}
	return out
}

// random is a sample of random numbers; models with inputs of other types need real ones.
func (p *pruner) random(m *graph.Model, seed uint64) (map[string]calib.Array, error) {
	rng := rand.New(rand.NewPCG(seed, 3))
	out := map[string]calib.Array{}
	for _, port := range calib.InputPorts(m) {
		if port.Elem != onnx.Float {
			return nil, fmt.Errorf("input %s needs real samples", port.String())
		}
		a := calib.Array{Type: onnx.Float, Shape: p.env.Shapes[port.Name]}
		if a.Shape == nil {
			a.Shape = typical(port.Shape, p.env.Sizes)
		}
		if size, ok := calib.ByteLen(a.Type, a.Shape); !ok || size > 1<<28 {
			return nil, fmt.Errorf("input %s is too large", port.String())
		}
		a.Bytes = normal(a.Len(), rng)
		out[port.Name] = a
	}
	return out, nil
}

// outputs runs a model on samples.
func (p *pruner) outputs(ctx context.Context, m *graph.Model, samples []map[string]calib.Array, o calib.Optimization) ([][]float64, error) {
	proto, err := m.Export()
	if err != nil {
		return nil, err
	}
	s, err := p.env.Runner.Open(ctx, proto, calib.OpenOptions{Optimization: o, Threads: p.threads()})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var out [][]float64
	for _, in := range samples {
		err := s.Run(ctx, in, func(arrays []calib.Array) error {
			for _, a := range arrays {
				x, err := a.Float64s(new([]float64))
				if err != nil {
					return err
				}
				out = append(out, slices.Clone(x))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *pruner) threads() int {
	if p.env.Calib != nil {
		return p.env.Calib.Threads
	}
	return 0
}

// parallel is how many samples are run at a time.
func (p *pruner) parallel() int {
	if n := p.threads(); n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// distance is the largest difference between the outputs on samples, each in units
// of the root mean square that the output has in the first list, over all samples: a
// probability near 0 on one of them is no smaller unit. Of large outputs the given share
// of the largest differences is left out. What is not finite in both alike counts as equal.
func distance(a, b [][]float64, samples int, without float64) float64 {
	each := len(a) / samples
	worst := 0.0
	for i := range a {
		if i >= len(b) || len(a[i]) != len(b[i]) {
			return math.Inf(1)
		}
		var all []float64
		for j := i % each; j < len(a); j += each {
			all = append(all, a[j]...)
		}
		differences := differ(a[i], b[i], magnitude(all))
		if last := len(differences) - 1 - int(without*float64(len(differences))); last >= 0 {
			worst = math.Max(worst, differences[last])
		}
	}
	return worst
}

// differ are the magnitudes of differences in units of scale, ascending.
func differ(a, b []float64, scale float64) []float64 {
	out := make([]float64, len(a))
	for j, x := range a {
		y := b[j]
		if x == y || math.IsNaN(x) && math.IsNaN(y) {
			continue
		}
		d := math.Abs(x-y) / scale
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		out[j] = d
	}
	slices.Sort(out)
	return out
}

// magnitude is the root of the mean square, 1 for zeros.
func magnitude(x []float64) float64 {
	var squares, n float64
	for _, v := range x {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			squares += v * v
			n++
		}
	}
	if squares == 0 {
		return 1
	}
	return math.Sqrt(squares / n)
}
