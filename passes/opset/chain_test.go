package opset_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
)

// links are operators of opset 9 from a value of shape [2, 3, 4] to another
// one. $x is the input, $y the output, $a a free name, AXIS an axis.
var links = []string{
	"$y = Softmax <axis = AXIS> ($x)",
	"$y = LogSoftmax <axis = AXIS> ($x)",
	"$a = Hardmax <axis = AXIS> ($x) $y = Add ($a, $x)",
	"$y = Clip <min = -0.75, max = 1.5> ($x)",
	"$a = Unsqueeze <axes = [AXIS, 4]> ($x) $y = Squeeze <axes = [AXIS, 4]> ($a)",
	"$a = ReduceMean <axes = [AXIS]> ($x) $y = Sub ($x, $a)",
	"$a = ReduceSum <axes = [AXIS], keepdims = 1> ($x) $y = Add ($x, $a)",
	"$a = ReduceMax ($x) $y = Sub ($x, $a)",
	"$a = Pad <pads = [1, 0, 2, 0, 1, 0], value = 0.5> ($x) $y = Slice <axes = [0, 1, 2], starts = [1, 0, -4], ends = [3, 3, 100]> ($a)",
	"$a, $a2 = Split <axis = 1, split = [1, 2]> ($x) $y = Concat <axis = 1> ($a2, $a)",
	"$a, $a2 = Split <axis = 2> ($x) $y = Concat <axis = 2> ($a2, $a)",
	"$a, $ai = TopK <axis = 2, k = 3> ($x) $a2, $ai2 = TopK <axis = 2, k = 1> ($x) $y = Concat <axis = 2> ($a, $a2)",
	"$y, $m = Dropout <ratio = 0.25> ($x)",
	"$a = Upsample <mode = \"nearest\"> ($x, twice) $y = Slice <axes = [2], starts = [2], ends = [6]> ($a)",
	"$y = If (yes) <then_branch = t$a () => (float[2, 3, 4] $t) { $t = Softmax <axis = AXIS> ($x) }, " +
		"else_branch = e$a () => (float[2, 3, 4] $e) { $e = Clip <min = 0.0> ($x) }>",
}

// TestChains raises random chains of operators and compares in ONNX Runtime.
func TestChains(t *testing.T) {
	rt, _, err := ort.Discover(runtimelib.Options{})
	if err != nil {
		t.Skip("no ONNX Runtime: ", err)
	}
	defer rt.Close()
	rapid.Check(t, func(r *rapid.T) {
		src := drawChain(r)
		before := parse(t, src)
		m, err := graph.Import(before)
		if err != nil {
			r.Fatal(err)
		}
		raise(t, m, rapid.SampledFrom([]int64{10, 11, 12, 13, 14, 17, 18, 19, 21}).Draw(r, "to"))
		if err := verify.Model(m); err != nil {
			r.Fatalf("%v in\n%s", err, exported(t, m))
		}
		if d := compare(t, rt, before, parse(t, exported(t, m)), samples(t, before, ""), 0); d != "" {
			r.Fatalf("%s: raised from\n%s", d, src)
		}
	})
}

func drawChain(r *rapid.T) string {
	var b strings.Builder
	b.WriteString("<ir_version: 4, opset_import: [\"\" : 9]>\ng (float[2, 3, 4] x0) => (float[2, 3, 4] out) <float[3] twice = {1, 1, 2}, bool yes = {1}> {\n")
	n := rapid.IntRange(1, 6).Draw(r, "links")
	for i := range n {
		link := rapid.SampledFrom(links).Draw(r, "link")
		axis := rapid.IntRange(0, 2).Draw(r, "axis")
		names := strings.NewReplacer("$x", fmt.Sprint("x", i), "$y", fmt.Sprint("x", i+1), "AXIS", fmt.Sprint(axis),
			"$a", fmt.Sprint("a", i, "_"), "$m", fmt.Sprint("m", i), "$t", fmt.Sprint("t", i), "$e", fmt.Sprint("e", i))
		b.WriteString(names.Replace(link) + "\n")
	}
	fmt.Fprintf(&b, "out = Relu (x%d)\n}", n)
	return b.String()
}
