package openvino

import (
	"context"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Process runs OpenVINO in child processes, one for each session. It
// implements [calib.Runner]; see the package documentation for how the child
// is wired.
type Process struct {
	command []string
	library string
	name    string
}

var _ calib.Runner = (*Process)(nil)

// Start checks that a child, started as exe with args, can load the library,
// and learns its version. The errors are OP6202 (library) and OP6354 (the child died).
func Start(ctx context.Context, library, exe string, args ...string) (*Process, error) {
	p := &Process{command: append([]string{exe}, args...), library: library}
	c, name, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	p.name = name
	return p, c.close()
}

// load starts a child and has it load the library.
func (p *Process) load(ctx context.Context) (c *child, name string, err error) {
	if c, err = newChild(p.command); err != nil {
		return nil, "", err
	}
	a, err := c.ask(ctx, request{Op: opLoad, Library: p.library})
	if err != nil {
		c.close()
		return nil, "", err
	}
	return c, a.Name, nil
}

// Name is "openvino" and the version, as in "openvino 2026.4.1".
func (p *Process) Name() string { return p.name }

// Open writes m to a temporary folder and has a new child load it.
func (p *Process) Open(ctx context.Context, m *onnx.Model, o calib.OpenOptions) (calib.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, remove, err := calib.TempFile(m)
	if err != nil {
		return nil, err
	}
	s := &remote{remove: remove}
	if err := s.open(ctx, p, path, m, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// remote is a session in a child.
type remote struct {
	child   *child // nil after Close
	in, out []calib.Port
	remove  func() error
}

func (s *remote) open(ctx context.Context, p *Process, path string, m *onnx.Model, o calib.OpenOptions) (err error) {
	if s.child, _, err = p.load(ctx); err != nil {
		return err
	}
	in, out := portNames(m)
	a, err := s.child.ask(ctx, request{Op: opOpen, Path: path, In: in, Out: out, Options: o})
	s.in, s.out = a.Inputs, a.Outputs
	return err
}

// Inputs are the inputs that must be fed.
func (s *remote) Inputs() []calib.Port { return s.in }

// Outputs are the graph outputs in order.
func (s *remote) Outputs() []calib.Port { return s.out }

// Run executes the model in the child. A cancelled ctx or a crash ends the
// child and with it the session.
func (s *remote) Run(ctx context.Context, in map[string]calib.Array, use func([]calib.Array) error) error {
	if s.child == nil {
		return diag.New("OP6352", "the session is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := calib.Fits(s.in, in); err != nil {
		return err
	}
	sample := make([]calib.Array, len(s.in))
	for i, p := range s.in {
		sample[i] = in[p.Name]
	}
	a, err := s.child.ask(ctx, request{Op: opRun, Sample: sample})
	if err != nil {
		return err
	}
	return use(a.Arrays)
}

// Close ends the child and deletes the temporary model. Closing twice is harmless.
func (s *remote) Close() error {
	if s.child != nil {
		s.child.close()
		s.child = nil
	}
	if s.remove == nil {
		return nil
	}
	remove := s.remove
	s.remove = nil
	return remove()
}
