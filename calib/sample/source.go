package sample

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// part is one input's array of one sample, or one row of it.
type part struct {
	name string // for messages
	file string // path, "" for random numbers
	row  bool   // one row of a fixed batch
	key  string // what of the file it is, for the digest
	read func() (calib.Array, error)
}

// sample is one part for each input, in the inputs' order.
type sample struct {
	name  string
	parts []part
}

// source implements calib.Source.
type source struct {
	samples  []sample
	ports    []calib.Port
	settings string // preprocessing in words, for the digest
}

func (s *source) Len() int { return len(s.samples) }

func (s *source) Name(i int) string { return s.samples[i].name }

// Read reads one sample and checks it.
func (s *source) Read(ctx context.Context, i int) (calib.Sample, error) {
	if err := ctx.Err(); err != nil {
		return calib.Sample{}, err
	}
	out := calib.Sample{Name: s.samples[i].name, Inputs: make(map[string]calib.Array, len(s.ports))}
	for k, p := range s.samples[i].parts {
		a, err := p.read()
		if err != nil {
			return calib.Sample{}, err
		}
		if err := checkFinite(a, p.name, s.ports[k].Name); err != nil {
			return calib.Sample{}, err
		}
		out.Inputs[s.ports[k].Name] = a
	}
	return out, nil
}

// Digest is the SHA-256 over the settings and over name and content of every sample.
func (s *source) Digest(indices []int) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", s.settings)
	files := map[string]string{}
	for _, i := range indices {
		fmt.Fprintf(h, "%q\n", s.samples[i].name)
		for _, p := range s.samples[i].parts {
			if err := digestFile(files, p); err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%q %s\n", p.key, files[p.file])
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digestFile adds the digest of a part's file to known.
func digestFile(known map[string]string, p part) error {
	if p.file == "" || known[p.file] != "" {
		return nil
	}
	f, err := os.Open(p.file)
	if err != nil {
		return unreadable(p.name, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return unreadable(p.name, err)
	}
	known[p.file] = hex.EncodeToString(h.Sum(nil))
	return nil
}

// batched groups rows into samples of the fixed batch that the inputs have,
// repeating the last rows to fill up the last one.
func (s *source) batched() error {
	n := int64(1)
	for k, p := range s.ports {
		if len(s.samples) > 0 && s.samples[0].parts[k].row {
			n = p.Shape.Dims[0].Value
		}
	}
	if n == 1 {
		return nil
	}
	for k, p := range s.ports {
		if !s.samples[0].parts[k].row || p.Shape.Dims[0].Value != n {
			return diag.New("OP6012", "the inputs do not take the same number of rows", "input", p.String(), "batch", fmt.Sprint(n)).
				Hinted("save arrays with the whole batch for all inputs")
		}
	}
	var grouped []sample
	for i := 0; i < len(s.samples); i += int(n) {
		grouped = append(grouped, stack(s.samples, i, int(n)))
	}
	s.samples = grouped
	return nil
}

// stack is one sample of n rows from the i-th on.
func stack(rows []sample, i, n int) sample {
	group := make([]sample, n)
	for j := range group {
		group[j] = rows[min(i+j, len(rows)-1)]
	}
	out := sample{name: group[0].name + " and following"}
	for k := range group[0].parts {
		p := group[0].parts[k]
		p.row = false
		p.read = func() (calib.Array, error) { return stackParts(group, k) }
		for _, g := range group[1:] {
			p.key += "\n" + g.parts[k].name + " " + g.parts[k].key
		}
		out.parts = append(out.parts, p)
	}
	return out
}

func stackParts(group []sample, k int) (calib.Array, error) {
	var out calib.Array
	for j, g := range group {
		a, err := g.parts[k].read()
		if err != nil {
			return out, err
		}
		if j == 0 {
			out = calib.Array{Type: a.Type, Shape: slices.Clone(a.Shape)}
			out.Shape[0] = int64(len(group))
		} else if !slices.Equal(a.Shape[1:], out.Shape[1:]) {
			return out, diag.New("OP6012", "samples of one batch differ in shape", "data", g.name, "found", a.String(), "wanted", out.String())
		}
		out.Bytes = append(out.Bytes, a.Bytes...)
	}
	return out, nil
}
