package openvino

import (
	"context"
	"encoding/gob"
	"errors"
	"io"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Serve is the child's side of a Process: it answers requests from r on w
// until r ends. What fails inside OpenVINO goes to the parent; an error here
// means that the connection broke.
func Serve(r io.Reader, w io.Writer) error {
	s, in, out := &server{}, gob.NewDecoder(r), gob.NewEncoder(w)
	defer s.close()
	for {
		var q request
		if err := in.Decode(&q); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := s.answer(q, func(a reply) error { return out.Encode(a) }); err != nil {
			return err
		}
	}
}

// server holds what earlier requests made.
type server struct {
	runtime *Runtime
	session calib.Session
}

func (s *server) close() {
	if s.session != nil {
		s.session.Close()
	}
}

// answer sends exactly one reply; the error is that of sending.
func (s *server) answer(q request, send func(reply) error) error {
	var sent bool
	var sending error
	err := s.do(q, func(a reply) error {
		sent, sending = true, send(a)
		return sending
	})
	if sent {
		return sending
	}
	return send(reply{Fault: newFault(err)})
}

// do carries out one request; it sends a reply or returns an error.
func (s *server) do(q request, send func(reply) error) error {
	switch {
	case q.Op == opLoad && s.runtime == nil:
		rt, err := Load(q.Library)
		if err != nil {
			return err
		}
		s.runtime = rt
		return send(reply{Name: rt.Name()})
	case q.Op == opOpen && s.runtime != nil && s.session == nil:
		session, err := s.runtime.openFile(context.Background(), q.Path, q.In, q.Out, q.Options)
		if err != nil {
			return err
		}
		s.session = session
		return send(reply{Inputs: session.Inputs(), Outputs: session.Outputs()})
	case q.Op == opRun && s.session != nil && len(q.Sample) == len(s.session.Inputs()):
		in := map[string]calib.Array{}
		for i, p := range s.session.Inputs() {
			in[p.Name] = q.Sample[i]
		}
		return s.session.Run(context.Background(), in, func(out []calib.Array) error {
			return send(reply{Arrays: out})
		})
	}
	return diag.New("OP1001", "the child process got a request out of order")
}
