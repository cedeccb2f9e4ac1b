package weights

import (
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
)

// start stands before the first layer with as many samples as the memory allows.
func (w *walk) start() error {
	var ys, xs []*graph.Value
	for _, s := range w.stops {
		ys, xs = append(ys, s.y), append(xs, s.node.In(0))
	}
	w.held = calib.HeldBytes(w.original, single(ys), w.bytes)
	for i, n := range calib.HeldBytes(w.model, single(xs), w.bytes) {
		w.held[i] += n
	}
	c := &calib.Calibration{Runner: w.c.Runner, Samples: w.samples(0), Threads: w.c.Threads}
	var err error
	if w.teacher, err = calib.NewFrontier(w.ctx, c, w.original, ys); err != nil {
		return err
	}
	if w.student, err = calib.NewFrontier(w.ctx, c, w.model, xs); err != nil {
		return err
	}
	w.teacher.Recycle()
	w.student.Recycle()
	return nil
}

// fewest is the number of samples below which no memory limit goes.
const fewest = 8

// cheap is the number of multiply-accumulates that take so little time that
// small models can use more samples than the options say.
const cheap = 4e9

// samples are those that can be held from stop i on.
func (w *walk) samples(i int) *calib.Set {
	most := max(1, slices.Max(w.held[i:]))
	n := max(int64(w.o.Samples), int64(cheap)/max(1, w.macs))
	return w.c.Samples.Spread(int(max(fewest, min(n, w.o.Memory/most))))
}

// refill starts again in front of stop i with more samples when what has to be
// held from there on is so much smaller that there is room for them.
func (w *walk) refill(i int) error {
	more := w.samples(i)
	if i == 0 || more.Len() < 2*w.teacher.Len() {
		return nil
	}
	if err := w.teacher.Refill(w.ctx, more); err != nil {
		return err
	}
	return w.student.Refill(w.ctx, more)
}

func single(values []*graph.Value) [][]*graph.Value {
	var out [][]*graph.Value
	for _, v := range values {
		out = append(out, []*graph.Value{v})
	}
	return out
}

// bytes is the memory that a value takes, by the sizes of the first sample.
func (w *walk) bytes(v *graph.Value) int64 {
	n := int64(max(v.Elem().Bits(), 8)) / 8
	for _, d := range w.dims(v) {
		n *= d
	}
	return n
}
