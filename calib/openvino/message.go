package openvino

import (
	"errors"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Parent and child speak encoding/gob: the parent sends a request, the child
// answers each with one reply, until the parent closes the pipe.

// operation says what a request asks for.
type operation int

const (
	opLoad operation = iota + 1 // load Library; the reply has Name
	opOpen                      // open the model file Path; the reply has Inputs and Outputs
	opRun                       // run on Sample; the reply has Arrays
)

type request struct {
	Op      operation
	Library string
	Path    string
	In, Out []string // names of the ports of Path
	Options calib.OpenOptions
	Sample  []calib.Array // in the order of the inputs
}

type reply struct {
	Fault           *fault
	Name            string
	Inputs, Outputs []calib.Port
	Arrays          []calib.Array // in the order of the outputs
}

// fault is a diag.Error whose cause is text.
type fault struct {
	Error diag.Error
	Cause string
}

func newFault(err error) *fault {
	var d *diag.Error
	if !errors.As(err, &d) {
		d = diag.New("OP6352", "OpenVINO failed").Wrap(err)
	}
	f := &fault{Error: *d}
	if d.Err != nil {
		f.Cause = d.Err.Error()
	}
	f.Error.Err = nil
	return f
}

// err restores the error; nil for a nil fault.
func (f *fault) err() error {
	if f == nil {
		return nil
	}
	d := f.Error
	if f.Cause != "" {
		d.Err = errors.New(f.Cause)
	}
	return &d
}
