package passes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// fakeRunner computes y = x, and for edited models (those that carry our mark)
// y = x*gain+offset, or fails.
type fakeRunner struct {
	name         string
	gain, offset float32
	refuses      func(edited bool) bool
}

func (f fakeRunner) Name() string { return f.name }

func (f fakeRunner) Open(_ context.Context, m *onnx.Model, _ calib.OpenOptions) (calib.Session, error) {
	edited := len(m.Graph.Node) < 4
	if f.refuses != nil && f.refuses(edited) {
		return nil, fmt.Errorf("%s crashed", f.name)
	}
	s := fakeSession{1, 0}
	if edited {
		s = fakeSession{f.gain, f.offset}
	}
	return s, nil
}

type fakeSession struct{ gain, offset float32 }

func (fakeSession) Inputs() []calib.Port { return []calib.Port{{Name: "x"}} }
func (fakeSession) Outputs() []calib.Port {
	p := calib.Port{Name: "y"}
	p.Elem = onnx.Float
	return []calib.Port{p}
}
func (fakeSession) Close() error { return nil }

func (s fakeSession) Run(_ context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	x := in["x"]
	out := make([]byte, 0, len(x.Bytes))
	for b := x.Bytes; len(b) >= 4; b = b[4:] {
		f := math.Float32frombits(binary.LittleEndian.Uint32(b))
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f*s.gain+s.offset))
	}
	return use([]calib.Array{{Type: onnx.Float, Shape: x.Shape, Bytes: out}})
}

// fakeSource has n samples of four different numbers.
type fakeSource int

func (n fakeSource) Len() int                     { return int(n) }
func (fakeSource) Name(i int) string              { return fmt.Sprintf("set/%d.npy", i) }
func (fakeSource) Digest(k []int) (string, error) { return fmt.Sprint("digest ", k), nil }

func (n fakeSource) Read(_ context.Context, i int) (calib.Sample, error) {
	var b []byte
	for k := range 4 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32((k+i)%4)-1.5))
	}
	return calib.Sample{Name: n.Name(i), Inputs: map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{1, 4}, Bytes: b}}}, nil
}

// proven runs the drop pass with runners and held-out samples.
func proven(t *testing.T, runner, peer calib.Runner, change func(*Job)) (*Done, string, error) {
	t.Helper()
	j := job(t, "drop")
	j.Output = t.TempDir() + "/out.onnx"
	j.HeldOut = calib.NewSet(fakeSource(8))
	j.Runner = runner
	if peer != nil {
		j.Peer = peer
	}
	if change != nil {
		change(&j)
	}
	done, err := Run(context.Background(), j)
	if _, statErr := os.Stat(j.Output); (statErr == nil) != (err == nil) {
		t.Errorf("error %v, but the output is there: %v", err, statErr == nil)
	}
	return done, j.Output, err
}

func TestProof(t *testing.T) {
	exact := fakeRunner{name: "first", gain: 1}
	near := fakeRunner{name: "near", gain: 1.001}
	wrong := fakeRunner{name: "wrong", gain: -1}
	far := fakeRunner{name: "far", gain: 1.5}
	nan := fakeRunner{name: "nan", gain: 1, offset: float32(math.NaN())}
	noNew := fakeRunner{name: "picky", refuses: func(edited bool) bool { return edited }}
	none := fakeRunner{name: "dead", refuses: func(bool) bool { return true }}
	for name, c := range map[string]struct {
		runner, peer calib.Runner
		change       func(*Job)
		code, note   string
	}{
		"fine":                       {runner: exact},
		"agreeing runtimes":          {runner: exact, peer: near},
		"one runtime is wrong":       {runner: exact, peer: wrong, code: "OP4007"},
		"both are equally far":       {runner: far, peer: fakeRunner{name: "far too", gain: 0.5}},
		"the peer refuses":           {runner: exact, peer: noNew, code: "OP4007"},
		"the peer runs nothing":      {runner: exact, peer: none, note: "OP8004"},
		"the same, but required":     {runner: exact, peer: none, change: func(j *Job) { j.NeedPeer = true }, code: "OP4011"},
		"required and absent":        {runner: exact, change: func(j *Job) { j.NeedPeer = true }, code: "OP4011"},
		"absent":                     {runner: exact, change: func(j *Job) { j.NoPeer = errors.New("not here") }, note: "OP8004"},
		"the new model does not run": {runner: noNew, code: "OP4008"},
		"neither model runs":         {runner: none, note: "OP8001"},
		"not a number":               {runner: nan, code: "OP4009"},
		"not verified":               {runner: wrong, change: func(j *Job) { j.NoVerify = true }, note: "OP8001"},
		"a warning counts":           {runner: exact, change: func(j *Job) { j.NoPeer, j.Werror = errors.New("not here"), true }, code: "OP4014"},
	} {
		t.Run(name, func(t *testing.T) {
			done, _, err := proven(t, c.runner, c.peer, c.change)
			if c.code != "" {
				checkDiag(t, name, err, c.code, "")
			} else if err != nil {
				t.Error(err)
			}
			found := c.note == ""
			for _, n := range done.Result.Notes {
				found = found || n.Code == c.note
			}
			if !found {
				t.Errorf("no note %s in %v", c.note, done.Result.Notes)
			}
		})
	}
}

func TestVerificationFigures(t *testing.T) {
	done, out, err := proven(t, fakeRunner{name: "first", gain: 1.1}, nil, func(j *Job) {
		j.Labels = map[string]int{"0.npy": 3, "1.npy": 2, "set/2.npy": 1, "3.npy": 3}
	})
	if err != nil {
		t.Fatal(err)
	}
	v := done.Result.Verify
	if math.Abs(v.SQNR-20) > 0.01 || v.Worst != v.SQNR || v.Output != "y" || v.Samples != 8 || math.Abs(v.MaxAbs-0.15) > 1e-6 || *v.Agree != 100 {
		t.Errorf("%+v", v)
	}
	if a := v.Accuracy; a == nil || a.Samples != 4 || a.Before != 75 || a.After != 75 {
		t.Errorf("accuracy %+v", v.Accuracy)
	}
	m, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, e := range m.MetadataProps {
		if e.Key == "onnxpass.verify" && !strings.HasPrefix(e.Value, `{"run":true,"samples":8,"sqnr_db":20.0,`) {
			t.Errorf("%s", e.Value)
		}
	}
}

func TestRejectedIsKept(t *testing.T) {
	high := 90.0
	done, out, err := proven(t, fakeRunner{name: "first", gain: 1.1}, nil, func(j *Job) { j.Keep, j.Gates.MinSQNR = true, &high })
	checkDiag(t, "gate", err, "OP4001", "90 dB")
	if done.Result.Rejected != out+".rejected" {
		t.Errorf("kept at %q", done.Result.Rejected)
	}
	m, err := onnx.Open(done.Result.Rejected)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}
