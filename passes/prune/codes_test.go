package prune_test

import (
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
)

// coded is a network on integer codes; the weights of c1 have scales of their own.
const coded = `<ir_version: 9, opset_import: ["" : 17]>
m (uint8[2, 3, 8, 8] x) => (uint8[2, 4, 8, 8] y)
<float s = {0.02}, uint8 z = {128}, int8[16, 3, 3, 3] w1 = random(1, -100, 100), float[16] s1 = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005, 0.0006, 0.0007, 0.0008}, int8[16] z1 = fill(0), int8[4, 16, 3, 3] w2 = random(5, -100, 100), float s2 = {0.01}, int8 z2 = {0}>
{
  [c1] a = QLinearConv <pads = [1, 1, 1, 1]> (x, s, z, w1, s1, z1, s, z)
  [c2] y = QLinearConv <pads = [1, 1, 1, 1]> (a, s, z, w2, s2, z2, s, z)
}`

// Codes count with their scales, and a budget counts the layers on codes.
func TestCodedModelsArePruned(t *testing.T) {
	rt := orttest.Runner(t)
	m := parse(t, coded)
	m, r, err := pruned(t, rt, m, "prune:macs=0.6,compensate=none", []map[string]calib.Array{feed(t, m, nil, 1)}...)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Pools) != 1 || r.Pools[0].After != 8 {
		t.Errorf("pools %+v", r.Pools)
	}
	for n := range m.Main.Nodes() {
		if n.Name() != "c1" {
			continue
		}
		left, err := n.In(4).Const().Float32s()
		if err != nil || len(left) != 8 || left[0] != 0.01 || left[7] != 0.08 {
			t.Errorf("scales %v are left (%v)", left, err)
		}
	}
	proven := false
	for _, f := range r.Facts {
		proven = proven || strings.HasPrefix(f.Name, "largest difference")
	}
	if !proven {
		t.Errorf("not compared: %v", r.Notes)
	}
}
