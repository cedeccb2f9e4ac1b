package sample

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Load finds the samples behind data for a model with the given inputs
// (calib.InputPorts). Every element of data is a path, IN=PATH for one input
// of several, or the word random. Files are in natural order of their names;
// at most Options.Max samples are kept, spread evenly. Only headers are read:
// contents are read, converted and checked sample by sample.
//
// Errors are *diag.Error with codes OP60xx.
func Load(ctx context.Context, data []string, inputs []calib.Port, o Options) (*calib.Set, error) {
	if len(data) == 0 {
		return nil, diag.New("OP6001", "no calibration samples").
			Hinted("give samples with --data: npy, npz, test_data_set folders, pictures or bin; --data random to try things out")
	}
	if err := o.Preprocess.check(); err != nil {
		return nil, err
	}
	ports, err := o.bind(inputs)
	if err != nil {
		return nil, err
	}
	for _, p := range ports {
		if p.Other != nil || p.Elem.Bits() < 8 {
			return nil, diag.New("OP6019", "samples cannot be made for an input", "input", p.Name, "found", p.TypeString()).
				Hinted("only tensors of numbers of whole bytes can be fed")
		}
	}
	l := &loader{ctx: ctx, ports: ports, o: o}
	if err := l.load(data); err != nil {
		return nil, err
	}
	return l.set()
}

// loader gathers samples and remarks.
type loader struct {
	ctx     context.Context
	ports   []calib.Port
	o       Options
	samples []sample
	notes   []string
	random  bool
}

func (l *loader) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(l.notes, n) {
		l.notes = append(l.notes, n)
	}
}

func (l *loader) set() (*calib.Set, error) {
	src := &source{samples: l.samples, ports: l.ports, settings: l.settings()}
	if err := src.batched(); err != nil {
		return nil, err
	}
	set := calib.NewSet(src)
	if n := set.Len(); n > l.o.limit() {
		l.note("%d of %d samples, spread evenly", l.o.limit(), n)
		set = set.Spread(l.o.limit())
	}
	set.Random, set.Notes = l.random, l.notes
	return set, nil
}

// settings are all choices that change what the model gets.
func (l *loader) settings() string {
	text := l.o.Preprocess.String()
	for _, p := range l.ports {
		text += "\n" + p.String()
	}
	return text
}

func (l *loader) load(data []string) error {
	specs, err := parseSpecs(data, l.ports)
	if err != nil {
		return err
	}
	if specs[0].input != "" {
		return l.loadNamed(specs)
	}
	for _, s := range specs {
		samples, err := l.loadPath(s.path)
		if err != nil {
			return err
		}
		l.samples = append(l.samples, samples...)
	}
	return nil
}

// loadNamed zips the samples of the inputs: the i-th of each belong together.
func (l *loader) loadNamed(specs []spec) error {
	columns := map[string][]part{}
	for _, s := range specs {
		i := slices.IndexFunc(l.ports, func(p calib.Port) bool { return p.Name == s.input })
		parts, err := l.column(s.path, l.ports[i])
		if err != nil {
			return err
		}
		columns[s.input] = append(columns[s.input], parts...)
	}
	samples, err := l.zip(columns, strings.Join(pathsOf(specs), ", "))
	l.samples = samples
	return err
}

func pathsOf(specs []spec) []string {
	paths := make([]string, len(specs))
	for i, s := range specs {
		paths[i] = s.path
	}
	return paths
}

// zip makes samples of one list of parts for each input. A list of one part
// serves all samples.
func (l *loader) zip(columns map[string][]part, where string) ([]sample, error) {
	n := 1
	for _, p := range l.ports {
		if len(columns[p.Name]) == 0 {
			return nil, l.missing(p, columns, where)
		}
		n = max(n, len(columns[p.Name]))
	}
	samples := make([]sample, n)
	for _, p := range l.ports {
		c := columns[p.Name]
		if len(c) != 1 && len(c) != n {
			return nil, diag.New("OP6010", "the inputs have different numbers of samples", "data", where,
				"input", fmt.Sprintf("%s: %d", p.Name, len(c)), "wanted", fmt.Sprint(n)).
				Hinted("give every input as many samples as the others, or one that serves all")
		}
		for i := range samples {
			samples[i].parts = append(samples[i].parts, c[min(i, len(c)-1)])
		}
	}
	for i := range samples {
		samples[i].name = l.sampleName(samples[i], columns)
	}
	return samples, nil
}

// sampleName is the name of the part that distinguishes the sample.
func (l *loader) sampleName(s sample, columns map[string][]part) string {
	for k, p := range l.ports {
		if len(columns[p.Name]) > 1 {
			return s.parts[k].name
		}
	}
	return s.parts[0].name
}

func (l *loader) missing(p calib.Port, columns map[string][]part, where string) error {
	var found []string
	for _, q := range l.ports {
		if len(columns[q.Name]) > 0 {
			found = append(found, q.Name)
		}
	}
	e := diag.New("OP6010", "the samples lack an input of the model", "data", where, "input", p.String())
	if len(found) > 0 {
		e.With("found", strings.Join(found, ", "))
	}
	return e.Hinted("save one .npz a sample with an array for each of %s, or give the inputs one by one: --data %s=PATH", names(l.ports), p.Name)
}

// loadPath reads a path that is not for one input only.
func (l *loader) loadPath(path string) ([]sample, error) {
	if path == "random" {
		return l.loadRandom()
	}
	files, k, err := list(path)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindNpz:
		return l.loadNpz(l.thin(files, 1))
	case kindPB:
		return l.loadPB(files)
	case kindNpy:
		if columns := l.byStem(files); columns != nil {
			return l.loadStems(columns, path)
		}
	}
	port, err := l.onlyInput(path, k)
	if err != nil {
		return nil, err
	}
	parts, err := l.parts(files, k, port)
	if err != nil {
		return nil, err
	}
	return l.zip(map[string][]part{port.Name: parts}, path)
}

// thin spreads the files over as many as can be needed.
func (l *loader) thin(files []entry, batch int) []entry {
	n := l.o.limit() * batch
	if len(files) <= n {
		return files
	}
	l.note("%d of %d files, spread evenly", n, len(files))
	kept := make([]entry, n)
	for i := range kept {
		kept[i] = files[i*len(files)/n]
	}
	return kept
}

// onlyInput is the input that samples without a name are for.
func (l *loader) onlyInput(path string, k kind) (calib.Port, error) {
	if len(l.ports) == 1 {
		return l.ports[0], nil
	}
	e := diag.New("OP6010", "the model has several inputs, the data is for one", "data", path, "wanted", names(l.ports))
	return calib.Port{}, e.Hinted("name the input: --data %s=%s, once for each input; or save one .npz a sample with an array for each", l.ports[0].Name, path)
}

// byStem groups .npy files that are called like the inputs of a model with several.
func (l *loader) byStem(files []entry) map[string]entry {
	if len(l.ports) < 2 {
		return nil
	}
	columns := map[string]entry{}
	for _, f := range files {
		columns[strings.TrimSuffix(filepath.Base(f.name), filepath.Ext(f.name))] = f
	}
	for _, p := range l.ports {
		if _, ok := columns[p.Name]; !ok {
			return nil
		}
	}
	return columns
}

func (l *loader) loadStems(files map[string]entry, where string) ([]sample, error) {
	columns := map[string][]part{}
	for _, p := range l.ports {
		parts, err := l.parts([]entry{files[p.Name]}, kindNpy, p)
		if err != nil {
			return nil, err
		}
		columns[p.Name] = parts
	}
	return l.zip(columns, where)
}

// column reads all samples of one input.
func (l *loader) column(path string, port calib.Port) ([]part, error) {
	if path == "random" {
		return l.randomParts(port)
	}
	files, k, err := list(path)
	if err != nil {
		return nil, err
	}
	return l.parts(files, k, port)
}

// parts reads files of one kind for one input.
func (l *loader) parts(files []entry, k kind, port calib.Port) ([]part, error) {
	files = l.thin(files, batchOf(port))
	if k == kindPicture {
		return l.pictures(files, port)
	}
	var parts []part
	for _, f := range files {
		if err := l.ctx.Err(); err != nil {
			return nil, err
		}
		b, err := openBlob(f, k, port, l.ports)
		if err != nil {
			return nil, err
		}
		rows, err := l.rows(b, port)
		if err != nil {
			return nil, err
		}
		parts = append(parts, rows...)
	}
	return parts, nil
}

// openBlob reads the header of a file that holds one array for the port.
func openBlob(f entry, k kind, port calib.Port, ports []calib.Port) (*blob, error) {
	switch k {
	case kindNpz:
		blobs, keys, err := npzBlobs(f.path, f.name)
		if err != nil {
			return nil, err
		}
		paired, _ := byInput(blobs, keys, []calib.Port{port})
		if b := paired[port.Name]; b != nil {
			return b, nil
		}
		return nil, diag.New("OP6010", "the samples lack an input of the model", "data", f.name, "input", port.String(), "found", strings.Join(keys, ", ")).
			Hinted("save the array under the input's name: numpy.savez(path, **{%q: array})", port.Name)
	case kindPB:
		b, _, err := pbBlob(f.path, f.name)
		return b, err
	case kindBin:
		return binBlob(f.path, f.name, port)
	default:
		return npyBlob(f.path, f.name)
	}
}

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

// rows divides an array into samples.
func (l *loader) rows(b *blob, port calib.Port) ([]part, error) {
	perm := l.permutation(b.dims, port)
	lay, ok := lay(permute(b.dims, perm), port)
	if !ok || typeHint(b.typ, port.Elem, l.o.Preprocess) != "" {
		return nil, misfit(b, port, l.o.Preprocess)
	}
	if lay.rows == 0 || slices.Contains(lay.each, 0) && lay.rows > 1 {
		return nil, diag.New("OP6004", "the data has no samples", "data", b.name, "found", calib.Array{Type: b.typ, Shape: b.dims}.String()).
			Hinted("the array has no elements")
	}
	if lay.note != "" {
		l.note("%s: %s", port.Name, lay.note)
	}
	if b.typ != port.Elem {
		l.note("%s: %v converted to %v", port.Name, b.typ, port.Elem)
	}
	return l.split(b, port, lay, perm), nil
}

// permutation of the axes of an array with the given dims; nil where it lies
// as the model takes it. Where the model's shape does not tell its layout, an
// array that fits is left alone.
func (l *loader) permutation(dims []int64, port calib.Port) []int {
	p := l.o.Preprocess
	_, known := channelsLast(port.Shape.Dims)
	_, fits := lay(dims, port)
	if p.Layout == "" || known && !moves(p, port) || !known && fits {
		return nil
	}
	return permutation(len(dims), p.Layout == "nhwc")
}

// split makes the parts of an array that fits: of all rows, or, of more than
// can be needed, of that many spread evenly.
func (l *loader) split(b *blob, port calib.Port, lay layout, perm []int) []part {
	size, _ := calib.ByteLen(b.typ, lay.each)
	n := min(lay.rows, int64(l.o.limit()*batchOf(port)))
	parts := make([]part, n)
	for i := range parts {
		row := spread(int64(i), lay.rows, n)
		p := part{name: b.name, file: b.file, row: lay.part}
		if lay.rows > 1 {
			p.name = fmt.Sprintf("%s[%d]", b.name, row)
		}
		p.key = p.name
		p.read = func() (calib.Array, error) {
			data, err := b.read(row*size, size)
			if err != nil {
				return calib.Array{}, err
			}
			a, err := l.finish(calib.Array{Type: b.typ, Shape: lay.each, Bytes: data}, port, perm)
			if err != nil {
				return a, damaged(p.name, err)
			}
			return a, nil
		}
		parts[i] = p
	}
	return parts
}

// spread is the i-th of n indices spread evenly over count, without overflow.
func spread(i, count, n int64) int64 { return i*(count/n) + i*(count%n)/n }

// batchOf is the fixed batch of an input, as far as rows are gathered for it.
func batchOf(port calib.Port) int {
	if d := port.Shape.Dims; len(d) > 0 && d[0].Value > 1 {
		return int(min(d[0].Value, 1<<16))
	}
	return 1
}

// finish brings one sample into the layout, range and type of the input.
func (l *loader) finish(a calib.Array, port calib.Port, perm []int) (calib.Array, error) {
	if perm != nil {
		rank := len(a.Shape)
		p := permutation(rank, l.o.Preprocess.Layout == "nhwc")
		back := permute(a.Shape, permutation(rank, l.o.Preprocess.Layout != "nhwc"))
		moved, err := transpose(a.Bytes, a.Type.Bits()/8, back, p...)
		if err != nil {
			return a, err
		}
		a.Bytes = moved
	}
	if l.o.Preprocess.scales() && port.Elem.IsFloat() {
		last, known := channelsLast(port.Shape.Dims)
		if !known {
			last = l.o.Preprocess.Layout == "nhwc" && perm == nil
		}
		scaled, err := scale(a, l.o.Preprocess, last)
		if err != nil {
			return a, err
		}
		a = scaled
	}
	return convert(a, port.Elem)
}
