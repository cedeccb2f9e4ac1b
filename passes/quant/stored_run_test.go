package quant_test

import (
	"context"
	"fmt"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/openvino"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes/target"
)

// afterConv is a recurrent node behind an 8-bit convolution: pairs make OpenVINO look for quantization around the node.
const afterConv = `<ir_version: 8, opset_import: ["" : 14]>
main (float[1, 16, 12] x) => (float[12, %[2]d, 1, 48] y, float[1, 16, 12] z)
<float[16, 16, 3] k = random(1, -0.3, 0.3), float[%[2]d, %[3]d, 16] w = random(2, -0.3, 0.3), float[%[2]d, %[3]d, 48] r = random(3, -0.2, 0.2)>
{ c = Conv <pads = [1, 1]> (x, k)
 z = Relu (c)
 t = Transpose <perm = [2, 0, 1]> (c)
 y = %[1]s <hidden_size = 48, direction = "%[4]s"> (t, w, r) }`

// OpenVINO computes recurrent nodes with stored weights as ONNX Runtime does.
// Restored with a float zero point, the weights of an LSTM would come out
// wrong there; restored from int8, it would not compile.
func TestRecurrentInOpenVINO(t *testing.T) {
	rt := orttest.Runner(t)
	found, _, err := runtimelib.Find(runtimelib.OpenVINO(), runtimelib.Options{})
	if err != nil {
		t.Skip("no OpenVINO library (set ONNXPASS_OPENVINO_LIB)")
	}
	ov, err := openvino.Load(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"LSTM", "GRU", "RNN"} {
		for direction, dirs := range map[string]int{"forward": 1, "bidirectional": 2} {
			for _, name := range []string{"openvino", "portable"} {
				rows := map[string]int{"LSTM": 192, "GRU": 144, "RNN": 48}[op]
				p, err := text.Parse(fmt.Sprintf(afterConv, op, dirs, rows, direction))
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), "m.onnx")
				if err := onnx.Save(path, p, onnx.SaveOptions{}); err != nil {
					t.Fatal(err)
				}
				n := quantized(t, rt, path, name, []string{"random"}, sample.Options{Max: 4})
				set, err := sample.Load(context.Background(), []string{"random"}, calib.InputPorts(n.graph), sample.Options{Max: 4})
				if err != nil {
					t.Fatal(err)
				}
				var s [2]calib.Session
				for i, r := range []calib.Runner{rt, ov} {
					if s[i], err = r.Open(context.Background(), n.out, calib.OpenOptions{Threads: 1}); err != nil {
						t.Fatalf("%s %s for %s: %v", direction, op, name, err)
					}
					defer s[i].Close()
				}
				c, err := calib.CompareSessions(context.Background(), s[0], s[1], set, calib.CompareOptions{})
				if err != nil {
					t.Fatal(err)
				}
				// A value at the edge of a code may round to either side.
				if db := c.Outputs[0].SQNR; db < 40 || math.IsNaN(db) {
					t.Errorf("%s %s for %s: %.1f dB between the runtimes", direction, op, name, db)
				}
			}
		}
	}
}

// The files of networks that live from recurrent layers shrink for every
// target, and their outputs on real samples stay near the original's.
func TestRecurrentKitModels(t *testing.T) {
	folder := os.Getenv("ONNXPASS_KIT_CALIB")
	if folder == "" {
		t.Skip("no dumped calibration samples (set ONNXPASS_KIT_CALIB)")
	}
	rt := orttest.Runner(t)
	for _, c := range []struct {
		model, task string
		share, sqnr float64
	}{{"nnsplit_en", "sent", 0.35, 40}, {"silero_vad_v6", "vad", 0.40, 40}} {
		path := filepath.Join("..", "..", "..", "shared", "kit", "models", c.model+".onnx")
		old, err := os.Stat(path)
		if err != nil {
			t.Skip("no evaluation kit beside the repository")
		}
		for _, name := range target.Names() {
			o := sample.Options{Max: 40}
			n := quantized(t, rt, path, name, []string{filepath.Join(folder, c.task)}, o)
			n.lint(t, name)
			out := filepath.Join(t.TempDir(), "m.onnx")
			if err := onnx.Save(out, n.out, onnx.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			now, err := os.Stat(out)
			if err != nil {
				t.Fatal(err)
			}
			set, err := sample.Load(context.Background(), []string{filepath.Join(folder, c.task)}, calib.InputPorts(n.graph), o)
			if err != nil {
				t.Fatal(err)
			}
			a, err := calib.Compare(context.Background(), rt, n.proto, n.out, set, calib.CompareOptions{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			if share := float64(now.Size()) / float64(old.Size()); share > c.share || a.All.SQNR < c.sqnr {
				t.Errorf("%s for %s: %.3f of the size, %.1f dB", c.model, name, share, a.All.SQNR)
			}
		}
	}
}
