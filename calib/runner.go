// Package calib runs models on samples: it reads and preprocesses samples,
// feeds them through a Runner, observes the values that a pass asks for, and
// compares two models on the same samples.
package calib

import (
	"context"

	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
)

// Array is one tensor in memory: raw little-endian elements, row-major, as in
// onnx.Data. Strings are not supported by runners.
type Array struct {
	Type  onnx.DataType
	Shape []int64
	Bytes []byte
}

// Port describes one input or output of a loaded model.
type Port struct {
	Name string
	infer.Type
}

// Optimization is how far a runner may rewrite a graph before running it.
type Optimization int

// The levels. Exact turns every rewrite off, so that numbers are those of the file as written.
const (
	Full Optimization = iota
	Basic
	Exact
)

// OpenOptions steer how a model is loaded.
type OpenOptions struct {
	Optimization Optimization
	Threads      int // 0: all cores
}

// Runner is one way to execute models.
type Runner interface {
	Name() string // "onnxruntime 1.32.0"
	// Open loads a model. Tensor data is read from where it lies; the model
	// must not change while the session is open.
	Open(ctx context.Context, m *onnx.Model, o OpenOptions) (Session, error)
}

// Session is a loaded model. It is for use by one goroutine at a time, but that Run may be called by several.
type Session interface {
	Inputs() []Port
	Outputs() []Port
	// Run executes the model on one sample (input name to array) and passes the
	// outputs, in the order of Outputs, to use. The arrays are valid until use
	// returns. Cancelling ctx stops a running model.
	Run(ctx context.Context, in map[string]Array, use func(out []Array) error) error
	Close() error
}
