package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"onnxpass": main})
}

// runtimeLibrary is the ONNX Runtime of this machine, empty when there is none.
var runtimeLibrary = sync.OnceValue(func() string {
	found, _, err := runtimelib.Find(runtimelib.ONNXRuntime(), runtimelib.Options{})
	if err != nil {
		return ""
	}
	return found.Path
})

// Scripts say exits CODE onnxpass ... to require an exit code, and onnxtext
// FROM.txt TO.onnx to make a model. Those that execute models stand under
// [!ort] skip.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if runtimeLibrary() == "" {
		t.Log("no ONNX Runtime on this machine: scripts that execute models are skipped (make runtime)")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROOT", root)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache"))
			e.Setenv("ONNXPASS_ORT_LIB", runtimeLibrary())
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "ort" {
				return runtimeLibrary() != "", nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "onnxtext": onnxText, "patch": patch, "lines": lineCount, "npy": writeArray},
	})
}

// exits CODE COMMAND ARGS...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: exit %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// onnxtext FROM TO writes the model that the text describes.
func onnxText(ts *testscript.TestScript, _ bool, args []string) {
	m, err := text.Parse(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(onnx.Save(ts.MkAbs(args[1]), m, onnx.SaveOptions{}))
}

// patch FILE OFFSET BYTE... overwrites bytes; patch FILE cut N keeps the first N.
func patch(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if args[1] == "cut" {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		ts.Check(os.WriteFile(path, b[:n], 0o644))
		return
	}
	off, err := strconv.Atoi(args[1])
	ts.Check(err)
	for i, text := range args[2:] {
		v, err := strconv.ParseUint(text, 0, 8)
		ts.Check(err)
		b[off+i] = byte(v)
	}
	ts.Check(os.WriteFile(path, b, 0o644))
}

// npy FILE AxBxC FILL writes a float32 array that holds a number everywhere, or a sine for the fill wave.
func writeArray(ts *testscript.TestScript, _ bool, args []string) {
	count, shape := 1, strings.ReplaceAll(args[1], "x", ", ")
	for _, d := range strings.Split(args[1], "x") {
		n, err := strconv.Atoi(d)
		ts.Check(err)
		count *= n
	}
	value := 0.0
	if args[2] != "wave" {
		var err error
		value, err = strconv.ParseFloat(args[2], 64)
		ts.Check(err)
	}
	var out []byte
	for i := range count {
		if args[2] == "wave" {
			value = math.Sin(float64(i))
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(value)))
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape)
	ts.Check(os.WriteFile(path, npy(header, out), 0o644))
}

// npy is an array file with a header of our choice.
func npy(header string, content []byte) []byte {
	header += strings.Repeat(" ", 64-(len(header)+11)%64) + "\n"
	return slices.Concat([]byte("\x93NUMPY\x01\x00"), []byte{byte(len(header)), byte(len(header) >> 8)}, []byte(header), content)
}

// lines FILE MAX requires at most MAX lines of at most 100 columns.
func lineCount(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	list := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	if len(list) > most {
		ts.Fatalf("%s has %d lines, more than %d", args[0], len(list), most)
	}
}
