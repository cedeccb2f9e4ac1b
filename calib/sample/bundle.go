package sample

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

func (l *loader) loadNpz(files []entry) ([]sample, error) {
	var samples []sample
	for _, f := range files {
		if err := l.ctx.Err(); err != nil {
			return nil, err
		}
		blobs, keys, err := npzBlobs(f.path, f.name)
		if err != nil {
			return nil, err
		}
		paired, note := byInput(blobs, keys, l.ports)
		if note != "" {
			l.note("%s", note)
		}
		if len(keys) > len(l.ports) {
			l.note("arrays in .npz files that are no inputs of the model were left out")
		}
		more, err := l.bundle(paired, f.name, keys)
		if err != nil {
			return nil, err
		}
		samples = append(samples, more...)
	}
	return samples, nil
}

// bundle makes samples of one array for each input.
func (l *loader) bundle(arrays map[string]*blob, where string, found []string) ([]sample, error) {
	columns := map[string][]part{}
	for _, p := range l.ports {
		b := arrays[p.Name]
		if b == nil {
			return nil, diag.New("OP6010", "the samples lack an input of the model", "data", where, "input", p.String(), "found", strings.Join(found, ", ")).
				Hinted("save an array for each of %s", names(l.ports))
		}
		parts, err := l.rows(b, p)
		if err != nil {
			return nil, err
		}
		columns[p.Name] = parts
	}
	samples, err := l.zip(columns, where)
	if len(samples) == 1 {
		samples[0].name = where
	}
	return samples, err
}

// loadPB makes one sample of every folder with input_N.pb files.
func (l *loader) loadPB(files []entry) ([]sample, error) {
	var order []string
	groups := map[string][]entry{}
	for _, f := range files {
		dir := filepath.Dir(f.name)
		if groups[dir] == nil {
			order = append(order, dir)
		}
		groups[dir] = append(groups[dir], f)
	}
	var samples []sample
	for _, dir := range order {
		arrays, found := map[string]*blob{}, []string{}
		for _, f := range groups[dir] {
			b, tensorName, err := pbBlob(f.path, f.name)
			if err != nil {
				return nil, err
			}
			found = append(found, filepath.Base(f.name))
			if input := pbInput(f.path, tensorName, l.ports); input != "" {
				arrays[input] = b
			}
		}
		more, err := l.bundle(arrays, dir, found)
		if err != nil {
			return nil, err
		}
		samples = append(samples, more...)
	}
	return samples, nil
}

func (l *loader) loadRandom() ([]sample, error) {
	columns := map[string][]part{}
	for _, p := range l.ports {
		parts, err := l.randomParts(p)
		if err != nil {
			return nil, err
		}
		columns[p.Name] = parts
	}
	return l.zip(columns, "random")
}

func (l *loader) randomParts(port calib.Port) ([]part, error) {
	n := randomSamples
	if l.o.Max > 0 {
		n = l.o.Max
	}
	i := slices.IndexFunc(l.ports, func(p calib.Port) bool { return p.Name == port.Name })
	b, err := randomBlob(port, i, int64(n), l.o.Seed)
	if err != nil {
		return nil, err
	}
	l.random = true
	l.note("random numbers (seed %d) stand for samples: ranges and figures say nothing about real data", l.o.Seed)
	return l.split(b, port, layout{rows: int64(n), each: b.dims[1:]}, nil), nil
}

func (l *loader) pictures(files []entry, port calib.Port) ([]part, error) {
	p := l.o.Preprocess
	if port.Elem == onnx.Uint8 && !p.given() {
		p.Preset, p.Scale = "raw", 1
	}
	q, err := newPicture(port, p)
	if err != nil {
		return nil, err
	}
	l.note("pictures for %s: %s, %s", port.Name, q, map[bool]string{true: "nhwc", false: "nchw"}[q.last])
	parts := make([]part, len(files))
	for i, f := range files {
		parts[i] = part{
			name: f.name, file: f.path, row: q.batch && port.Shape.Dims[0].Value > 1,
			read: func() (calib.Array, error) { return q.read(f.path, f.name) },
		}
	}
	return parts, nil
}
