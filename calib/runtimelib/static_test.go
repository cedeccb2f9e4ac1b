package runtimelib

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNoexecLeavesTheLoaderOut holds the static build to its promise: whatever
// imports purego is linked to libc.
func TestNoexecLeavesTheLoaderOut(t *testing.T) {
	for tags, want := range map[string]bool{"": true, "onnxpass_noexec": false} {
		cmd := exec.Command("go", "list", "-deps", "-tags", tags, "../../cmd/onnxpass")
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		out, err := cmd.Output()
		if err != nil {
			t.Skipf("go list does not run here: %v", err)
		}
		if got := strings.Contains(string(out), "ebitengine/purego"); got != want {
			t.Errorf("with tags %q purego is part of the program: %v", tags, got)
		}
	}
}
