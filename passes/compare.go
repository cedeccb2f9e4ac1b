package passes

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/dtype"
)

// CompareOptions steer Compare.
type CompareOptions struct {
	Threads  int
	Labels   map[string]int // sample name to class, for accuracy; nil: none
	Progress func(done, total int)
}

// Compare runs two models on the same samples and says how close they are.
func Compare(ctx context.Context, r calib.Runner, ref, model *onnx.Model, set *calib.Set, o CompareOptions) (*Verification, error) {
	return CompareRunners(ctx, r, r, ref, model, set, o)
}

// CompareRunners is Compare with a runner of its own for each model.
func CompareRunners(ctx context.Context, refRunner, runner calib.Runner, ref, model *onnx.Model, set *calib.Set, o CompareOptions) (*Verification, error) {
	a, b, err := openBoth(ctx, refRunner, runner, ref, model, calib.OpenOptions{Threads: o.Threads})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	defer b.Close()
	b = &narrowed{Session: b}
	before, after := &classes{Session: a}, &classes{Session: b}
	if o.Labels != nil {
		a, b = before, after
	}
	c, err := calib.CompareSessions(ctx, a, b, set, calib.CompareOptions{Threads: o.Threads, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	v := verification(c, integerOutputs(a), runner.Name(), set.Random)
	if o.Labels != nil {
		v.Accuracy = accuracy(set, o.Labels, before.top, after.top)
	}
	return v, nil
}

// integerOutputs says which outputs have integer or boolean elements.
func integerOutputs(s calib.Session) []bool {
	var out []bool
	for _, p := range s.Outputs() {
		out = append(out, p.Elem.IsInteger() || p.Elem == onnx.Bool)
	}
	return out
}

// openBoth loads two models at a time, which takes runtimes one core each.
func openBoth(ctx context.Context, refRunner, runner calib.Runner, ref, model *onnx.Model, o calib.OpenOptions) (a, b calib.Session, err error) {
	var errA, errB error
	var group sync.WaitGroup
	group.Go(func() { a, errA = refRunner.Open(ctx, ref, o) })
	b, errB = runner.Open(ctx, model, o)
	group.Wait()
	switch {
	case errA == nil && errB == nil:
		return a, b, nil
	case errA == nil:
		a.Close()
		return nil, nil, fmt.Errorf("new model: %w", errB)
	case errB == nil:
		b.Close()
	}
	return nil, nil, fmt.Errorf("original: %w", errA)
}

// verification turns a comparison into its report.
func verification(c *calib.Comparison, integer []bool, runtime string, random bool) *Verification {
	v := &Verification{Runtime: runtime, Samples: c.Samples, Random: random, SQNR: c.All.SQNR, Worst: perfect, Cosine: 1}
	allInteger := !slices.Contains(integer, false)
	for i, a := range c.Outputs {
		bounded(&a.Cosine)
		bounded(&a.SQNR)
		bounded(&a.MaxAbs)
		m := OutputMetric{Name: a.Name, Integer: integer[i], SQNR: a.SQNR, Cosine: a.Cosine, MaxAbs: a.MaxAbs, Undefined: a.Undefined, Broken: a.Broken}
		if a.Positions > 0 {
			pct := 100 * a.Top1
			m.Agree = &pct
		}
		v.Outputs = append(v.Outputs, m)
		v.Broken += a.Broken
		if allInteger || !m.Integer {
			v.add(m)
		}
	}
	for _, d := range c.Worst {
		v.Lowest = append(v.Lowest, SampleMetric{d.Sample, d.SQNR})
	}
	return v
}

// add takes an output into the figures of the whole.
func (v *Verification) add(m OutputMetric) {
	if v.Output == "" || m.SQNR < v.Worst {
		v.Worst, v.Output = m.SQNR, m.Name
	}
	if m.Agree != nil && (v.Agree == nil || *m.Agree < *v.Agree) {
		v.Agree = m.Agree
	}
	v.Cosine = min(v.Cosine, m.Cosine)
	v.MaxAbs = max(v.MaxAbs, m.MaxAbs)
}

// classes is a session that remembers the argmax of its first output, sample by sample.
type classes struct {
	calib.Session
	top []int
}

// Run passes the outputs on.
func (c *classes) Run(ctx context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	return c.Session.Run(ctx, in, func(out []calib.Array) error {
		best := -1
		if len(out) > 0 {
			var buf []float64
			x, err := out[0].Float64s(&buf)
			if err != nil {
				return err
			}
			for i, f := range x {
				if best < 0 || f > x[best] {
					best = i
				}
			}
		}
		c.top = append(c.top, best)
		return use(out)
	})
}

// accuracy counts the labelled samples that each model classifies as labelled; nil when no sample has a label.
func accuracy(set *calib.Set, labels map[string]int, before, after []int) *Accuracy {
	var n, a, b int
	for i := range set.Len() {
		want, ok := Label(labels, set.Name(i))
		if !ok || i >= len(before) || i >= len(after) {
			continue
		}
		n++
		if before[i] == want {
			a++
		}
		if after[i] == want {
			b++
		}
	}
	if n == 0 {
		return nil
	}
	return &Accuracy{Before: 100 * float64(a) / float64(n), After: 100 * float64(b) / float64(n), Samples: n}
}

// Label is the class of a sample, by its whole name or by its file's name alone.
func Label(labels map[string]int, sample string) (class int, ok bool) {
	if class, ok = labels[sample]; !ok {
		class, ok = labels[path.Base(filepath.ToSlash(sample))]
	}
	return class, ok
}

func digestOf(s *calib.Set) (string, error) {
	if s.Len() == 0 {
		return "", nil
	}
	return s.Digest()
}

// narrowed is a session that takes float32 samples for 16-bit inputs, as a model has whose interface was converted.
type narrowed struct{ calib.Session }

// Run converts what the inputs declare otherwise.
func (n *narrowed) Run(ctx context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	var own map[string]calib.Array
	for _, p := range n.Inputs() {
		a, ok := in[p.Name]
		if !ok || a.Type != onnx.Float || p.Elem != onnx.Float16 && p.Elem != onnx.BFloat16 {
			continue
		}
		var scratch []float32
		x, err := a.Float32s(&scratch)
		if err != nil {
			return err
		}
		if own == nil {
			own = maps.Clone(in)
		}
		b := make([]byte, 2*len(x))
		if p.Elem == onnx.Float16 {
			dtype.EncodeF16(b, x)
		} else {
			dtype.EncodeBF16(b, x)
		}
		own[p.Name] = calib.Array{Type: p.Elem, Shape: a.Shape, Bytes: b}
	}
	if own != nil {
		in = own
	}
	return n.Session.Run(ctx, in, use)
}
