package main

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/sample"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// preprocessing reads the flags about pictures. Flags override the preset.
func (d *dataFlags) preprocessing() (sample.Preprocess, error) {
	p := sample.Preprocess{}
	var err error
	if d.preset != "" {
		if p, err = sample.Preset(d.preset); err != nil {
			return p, err
		}
	}
	var errs []error
	size := func(text string, to *sample.Size) {
		if text != "" {
			*to, err = sample.ParseSize(text)
			errs = append(errs, err)
		}
	}
	size(d.resize, &p.Resize)
	size(d.crop, &p.Crop)
	numbers := func(text string, to *[]float32) {
		if text != "" {
			*to, err = sample.ParseNumbers(text)
			errs = append(errs, err)
		}
	}
	numbers(d.mean, &p.Mean)
	numbers(d.std, &p.Std)
	if d.scale != "" {
		p.Scale, err = sample.ParseNumber(d.scale)
		errs = append(errs, err)
	}
	for _, w := range []struct {
		text string
		to   *string
	}{{d.color, &p.Color}, {d.layout, &p.Layout}, {d.fit, &p.Fit}, {d.filter, &p.Filter}} {
		if w.text != "" {
			*w.to = w.text
		}
	}
	return p, errors.Join(errs...)
}

// load reads the samples behind paths for the inputs of g.
func (d *dataFlags) load(ctx context.Context, g *graph.Model, paths []string) (*calib.Set, error) {
	p, err := d.preprocessing()
	if err != nil {
		return nil, err
	}
	shapes, sizes, err := d.parseShapes()
	if err != nil {
		return nil, err
	}
	if err := checkNames(g, shapes, sizes); err != nil {
		return nil, err
	}
	return sample.Load(ctx, paths, calib.InputPorts(g), sample.Options{Max: d.n, Seed: d.seed, Dims: sizes, Shapes: shapes, Preprocess: p})
}

// attachData gives a job its samples: those of --verify-data are held out, or else the last fifth of --data.
func (a *app) attachData(ctx context.Context, f *runFlags, job *passes.Job) error {
	if len(f.data.paths) == 0 && len(f.data.verify) == 0 && len(job.Shapes) == 0 && len(job.Sizes) == 0 {
		return nil
	}
	g, _, err := passes.Load(job.Model)
	if err != nil {
		return err
	}
	if err := checkNames(g, job.Shapes, job.Sizes); err != nil {
		return err
	}
	if len(f.data.paths) > 0 {
		set, err := f.data.load(ctx, g, f.data.paths)
		if err != nil {
			return err
		}
		job.Samples, job.HeldOut = set.Split()
	}
	if len(f.data.verify) > 0 {
		if job.HeldOut, err = f.data.load(ctx, g, f.data.verify); err != nil {
			return err
		}
		if len(f.data.paths) > 0 {
			job.Samples, err = f.data.load(ctx, g, f.data.paths)
		}
	}
	if err != nil {
		return err
	}
	if job.Labels, err = readLabels(f.data.labels); err != nil {
		return err
	}
	return shapesFromSample(ctx, job, g)
}

// shapesFromSample counts MACs for the shapes that the first sample has, where the user gave none.
func shapesFromSample(ctx context.Context, job *passes.Job, g *graph.Model) error {
	set := job.Samples
	if set.Len() == 0 {
		set = job.HeldOut
	}
	if set.Len() == 0 || !dynamic(g) {
		return nil
	}
	s, err := set.Read(ctx, 0)
	if err != nil {
		return err
	}
	for name, array := range s.Inputs {
		if _, given := job.Shapes[name]; !given {
			job.Shapes[name] = array.Shape
		}
	}
	return nil
}

// dynamic says whether an input has an open dimension.
func dynamic(g *graph.Model) bool {
	for _, v := range g.Main.Inputs() {
		if v.IsInit() {
			continue
		}
		if !v.Shape().Ranked {
			return true
		}
		for _, d := range v.Shape().Dims {
			if d.Value < 0 {
				return true
			}
		}
	}
	return false
}

// mostLabels bounds the file of labels.
const mostLabels = 1 << 20

// readLabels reads NAME,CLASS lines; a first line that is no such pair is a header. Without a path there are none.
func readLabels(path string) (map[string]int, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, diag.New("OP6071", "cannot read the labels", "file", path).Wrap(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	labels := map[string]int{}
	for line := 1; len(labels) < mostLabels; line++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return labels, nil
		}
		if err == nil && len(rec) < 2 {
			err = errors.New("one column only")
		}
		class := 0
		if err == nil {
			class, err = strconv.Atoi(strings.TrimSpace(rec[1]))
		}
		switch {
		case err == nil:
			labels[strings.TrimSpace(rec[0])] = class
		case line > 1:
			return nil, diag.New("OP6071", "cannot read the labels", "file", path, "line", strconv.Itoa(line), "wanted", "sample name, class number").Wrap(err)
		}
	}
	return labels, nil
}
