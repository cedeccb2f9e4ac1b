package weights_test

import (
	"context"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// A walk in which every layer is alone rounds each weight as a walk with that
// weight only does; and what Substitute puts into a copy of the model computes what the stored forms do.
func TestWalkAlone(t *testing.T) {
	rt := orttest.Runner(t)
	o := weights.WalkOptions{Bias: true, Feedback: true, Refit: true, Rescale: true}
	fresh := func() []*weights.Item {
		found, _ := weights.Find(parse(t, deep, 21), weights.FindOptions{MinElements: 100})
		var items []*weights.Item
		for _, w := range found {
			items = append(items, &weights.Item{Weight: w, Format: &weights.Integer{Bits: 4, Target: target.Lookup("openvino"), Threads: 1}})
		}
		return items
	}
	walk := func(items []*weights.Item, o weights.WalkOptions) {
		t.Helper()
		c := &calib.Calibration{Runner: rt, Samples: correlated(40, 1), Threads: 1}
		if _, err := weights.Walk(context.Background(), items[0].Value.Graph().Model(), c, items, o); err != nil {
			t.Fatal(err)
		}
	}
	together := fresh()
	alone := o
	alone.Alone = true
	walk(together, alone)
	for i, it := range together {
		single := fresh()[i : i+1]
		walk(single, o)
		x, _ := it.Stored.Raw()
		y, _ := single[0].Stored.Raw()
		if !slices.Equal(x, y) {
			t.Errorf("%s is rounded otherwise than alone", it.Value.Name())
		}
		// the second reader of a shared weight sees the first one's error in a plain walk
		if len(it.Shifts) > 0 && !slices.Equal(it.Shifts[0], single[0].Shifts[0]) {
			t.Errorf("%s: shifts %v and %v", it.Value.Name(), it.Shifts[0], single[0].Shifts[0])
		}
	}
	m := together[0].Value.Graph().Model()
	floats := m.Clone()
	for _, it := range together {
		it.Substitute(floats)
	}
	for _, it := range together {
		if err := it.Store(it.Weight, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Main.Sort(); err != nil {
		t.Fatal(err)
	}
	if c, err := compared(t, rt, floats, m, calib.Exact); err != nil || c.SQNR < 120 {
		t.Errorf("%v, %+v", err, c)
	}
	if c, err := compared(t, rt, parse(t, deep, 21), floats, calib.Exact); err != nil || c.SQNR > 60 {
		t.Errorf("nothing was substituted: %v, %+v", err, c)
	}
}
