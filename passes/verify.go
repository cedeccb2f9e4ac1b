package passes

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
)

// Verify infers types and checks every rule of the format.
func Verify(m *graph.Model) error {
	if err := m.Infer(); err != nil {
		return err
	}
	return verify.Model(m)
}
