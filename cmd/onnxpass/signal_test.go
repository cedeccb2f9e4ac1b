//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/onnx"
)

// longRun starts a run that takes a while: many random samples through a real network.
func longRun(t *testing.T, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	if runtimeLibrary() == "" {
		t.Skip("needs ONNX Runtime (make runtime)")
	}
	cmd := exec.Command(installed(t), "-p", "quant", "../../testdata/models/fashion_resnet.onnx",
		"-d", "random", "-n", "4000", "--no-cache", "-o", filepath.Join(dir, "out.onnx"), "--target", "ort", "--min-sqnr", "-200")
	cmd.Env = append(os.Environ(), "ONNXPASS_ORT_LIB="+runtimeLibrary())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &stderr
}

// installed is this test binary in its role as the command.
func installed(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("onnxpass")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// toolPath builds the command as users have it.
func toolPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "onnxpass-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "onnxpass")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// A signal ends the run within a second or so with 128 + its number, and leaves nothing behind.
func TestSignals(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		dir := t.TempDir()
		cmd, stderr := longRun(t, dir)
		time.Sleep(400 * time.Millisecond)
		sent := time.Now()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code {
			t.Errorf("%v: %v, want exit %d\n%s", sig, err, code, stderr)
		}
		if d := time.Since(sent); d > 3*time.Second {
			t.Errorf("%v: the run went on for %v", sig, d)
		}
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("%v: left behind: %v", sig, left)
		}
	}
}

// Whenever the process is killed, the output is absent or whole.
func TestKill(t *testing.T) {
	if testing.Short() || runtimeLibrary() == "" {
		t.Skip("needs ONNX Runtime (make runtime), and takes seconds")
	}
	bin := installed(t)
	model := filepath.Join(t.TempDir(), "in.onnx")
	copyFile(t, "../../testdata/models/fashion_resnet.onnx", model)
	whole, absent := 0, 0
	for i := range 24 {
		dir := t.TempDir()
		out := filepath.Join(dir, "out.onnx")
		cmd := exec.Command(bin, "-p", "quant", model, "-d", "random", "-n", "30", "-o", out, "--target", "ort", "-q", "--no-cache", "--external-data", "always")
		cmd.Env = append(os.Environ(), "ONNXPASS_ORT_LIB="+runtimeLibrary())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+i*12) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		if _, err := os.Stat(out); err != nil {
			absent++
			continue
		}
		whole++
		m, err := onnx.Open(out)
		if err != nil {
			t.Fatalf("killed after %d ms: the output is there and does not open: %v", 20+i*12, err)
		}
		m.Close()
	}
	t.Logf("%d whole, %d absent", whole, absent)
}

// names lists what is in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Starting up costs next to nothing: less than 30 ms of CPU, whatever else the machine does.
func TestStartUp(t *testing.T) {
	bin := toolPath(t)
	best := time.Hour
	for range 10 {
		cmd := exec.Command(bin, "version")
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), "onnxpass ") {
			t.Fatalf("%v: %s", err, out)
		}
		best = min(best, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	if best > 30*time.Millisecond {
		t.Errorf("onnxpass version takes %v of CPU", best)
	}
	t.Logf("best of 10: %v", best)
}
