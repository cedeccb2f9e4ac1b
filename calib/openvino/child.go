package openvino

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// child is a running process that serves.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *gob.Encoder
	in    *gob.Decoder
	words *head
	wait  func() error // waits for the end, once
	dead  error        // why nothing can be asked any more
}

func newChild(command []string) (*child, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "GOTRACEBACK=none")
	c := &child{cmd: cmd, words: &head{}, wait: sync.OnceValue(cmd.Wait)}
	cmd.Stderr = c.words
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, diag.New("OP6354", "the process that runs OpenVINO does not start", "command", strings.Join(command, " ")).Wrap(err)
	}
	c.stdin, c.out, c.in = stdin, gob.NewEncoder(stdin), gob.NewDecoder(stdout)
	return c, nil
}

// ask sends a request and waits for its reply. A cancelled ctx kills the child.
func (c *child) ask(ctx context.Context, q request) (reply, error) {
	if c.dead != nil {
		return reply{}, c.dead
	}
	stop := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })
	defer stop()
	var a reply
	err := c.out.Encode(q)
	if err == nil {
		err = c.in.Decode(&a)
	}
	if err == nil {
		return a, a.Fault.err()
	}
	c.dead = ctx.Err()
	if c.dead == nil {
		c.dead = c.crashed(err)
	}
	return reply{}, c.dead
}

// crashed describes the end of the process; broken is how the connection noticed.
func (c *child) crashed(broken error) error {
	_ = c.cmd.Process.Kill() // it may still be there when only the connection broke
	end := c.wait()
	if end == nil {
		end = broken
	}
	e := diag.New("OP6354", "OpenVINO crashed", "the process ended with", end.Error())
	if said := c.words.summary(); said != "" {
		e.With("it said", said)
	}
	return e.Hinted("OpenVINO cannot run this model; another target, or fewer quantized operators (--exclude), avoids the defect")
}

// close ends the child: it stops serving when its input ends.
func (c *child) close() error {
	c.stdin.Close()
	_ = c.cmd.Process.Kill() // do not wait for OpenVINO to tear down
	_ = c.wait()
	c.dead = diag.New("OP6352", "the session is closed")
	return nil
}

// head keeps the first 4 KiB of what is written to it.
type head struct {
	mu sync.Mutex
	b  []byte
}

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b = append(h.b, p[:min(len(p), max(0, 4096-len(h.b)))]...)
	return len(p), nil
}

// summary is the line that names a signal, or else the first one.
func (h *head) summary() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := ""
	for line := range strings.Lines(string(h.b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[signal ") || strings.HasPrefix(line, "SIG") {
			return line
		}
		if first == "" {
			first = line
		}
	}
	return fmt.Sprintf("%.200s", first)
}
