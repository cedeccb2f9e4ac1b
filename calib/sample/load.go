package sample

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
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
	if o.Max < 0 || o.Max > mostSamples {
		return nil, bad("number of samples", fmt.Sprint(o.Max), fmt.Sprintf("1 to %d", mostSamples))
	}
	if len(inputs) == 0 {
		return nil, diag.New("OP6019", "the model has no inputs that samples could be fed to").
			Hinted("its outputs are constants: there is nothing to measure, and passes that need no samples run without --data")
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
