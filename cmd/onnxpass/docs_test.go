package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Every "$ onnxpass ..." line in a console block of docs/ works as it stands, in
// a folder that has testdata; "# exit N" at its end is the exit code it has.
func TestDocs(t *testing.T) {
	if runtimeLibrary() == "" {
		t.Skip("needs ONNX Runtime (make runtime)")
	}
	t.Setenv("ONNXPASS_ORT_LIB", runtimeLibrary())
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 8 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, page := range pages {
		dir := t.TempDir()
		if err := os.Symlink(data, filepath.Join(dir, "testdata")); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
		for _, line := range consoleLines(t, page) {
			lines++
			runLine(t, page, dir, line)
		}
	}
	if lines < 20 {
		t.Errorf("only %d examples were found", lines)
	}
}

func consoleLines(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	inside := false
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ onnxpass "):
			out = append(out, strings.TrimPrefix(line, "$ "))
		}
	}
	return out
}

func runLine(t *testing.T, page, dir, line string) {
	t.Helper()
	want := 0
	if _, after, ok := strings.Cut(line, "# exit "); ok {
		n, err := strconv.Atoi(after)
		if err != nil {
			t.Fatalf("%s: %s: %v", page, line, err)
		}
		want = n
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("%s: %s: exit %d, want %d\n%s", filepath.Base(page), line, got, want, out.String())
	}
}
