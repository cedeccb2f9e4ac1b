//go:build onnxpass_noexec || !(linux || darwin || windows) || !(amd64 || arm64)

package openvino

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Runtime is OpenVINO loaded into this process; a build without the executor never has one.
type Runtime struct{}

var _ calib.Runner = (*Runtime)(nil)

func declined() error {
	return diag.New("OP6204", "this build of onnxpass cannot execute models").
		Hinted("use the normal release build, which loads OpenVINO when needed")
}

// Load declines with OP6204.
func Load(string) (*Runtime, error) { return nil, declined() }

// Name is "none".
func (*Runtime) Name() string { return "none" }

// Version is empty.
func (*Runtime) Version() string { return "" }

// Open declines with OP6204.
func (*Runtime) Open(context.Context, *onnx.Model, calib.OpenOptions) (calib.Session, error) {
	return nil, declined()
}

func (*Runtime) openFile(context.Context, string, []string, []string, calib.OpenOptions) (calib.Session, error) {
	return nil, declined()
}
