package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// input is one model that was named on the command line.
type input struct {
	path string // "-" is standard input
	rel  string // where it belongs below an output folder
}

// inputs expands arguments: files, folders (every *.onnx below them, sorted) and -.
func inputs(args []string) ([]input, error) {
	var out []input
	for _, arg := range args {
		st, err := os.Stat(arg)
		if arg == "-" || err != nil || !st.IsDir() {
			out = append(out, input{arg, filepath.Base(arg)})
			continue
		}
		found, err := modelsBelow(arg)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, usageError("folder %s holds no .onnx file", arg)
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, usageError("no model given").Hinted("for instance: onnxpass -p quant model.onnx -d samples/ -o out.onnx")
	}
	return out, nil
}

func modelsBelow(dir string) ([]input, error) {
	var out []input
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != dir {
			return filepath.SkipDir
		}
		if !d.IsDir() && filepath.Ext(path) == ".onnx" {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			out = append(out, input{path, rel})
		}
		return nil
	})
	return out, err
}

// mostSpool is the largest model read from standard input: a protobuf message cannot be larger.
const mostSpool = 1<<31 - 1

// open opens a model; standard input is copied to a temporary file first.
func (a *app) open(path string) (*onnx.Model, error) {
	if path != "-" {
		return onnx.Open(path)
	}
	if isTerminal(a.in) {
		return nil, usageError("standard input is a terminal").Hinted("pipe a model into it, or name a file")
	}
	dir, err := scratch.make(os.TempDir())
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "stdin.onnx")
	if err := spool(file, a.in, mostSpool); err != nil {
		return nil, err
	}
	m, err := onnx.Open(file)
	var e *diag.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Code, "OP302") {
		return nil, diag.New("OP3040", "a model with external data cannot come by pipe").Hinted("give the path of the model file")
	}
	return m, named(err, file)
}

// named replaces the path of the spool file in a message.
func named(err error, spoolFile string) error {
	var e *diag.Error
	if errors.As(err, &e) {
		for i, f := range e.Fields {
			if f.Text == spoolFile {
				e.Fields[i].Text = "standard input"
			}
		}
	}
	return err
}

func spool(path string, in io.Reader, most int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(in, most+1))
	if err == nil && n > most {
		err = diag.New("OP7001", "standard input is too large for a model", "limit", passes.Bytes(most))
	}
	return errors.Join(err, f.Close())
}

// output decides where the result for in goes. many says that there are several inputs.
func (f *runFlags) place(in input, many bool, passNames string) (string, error) {
	switch {
	case f.inPlace && in.path == "-":
		return "", usageError("--in-place needs a file, not standard input")
	case f.inPlace && f.output != "":
		return "", usageError("--in-place and -o exclude each other")
	case f.inPlace:
		return in.path, nil
	case f.output == "" && in.path == "-":
		return "-", nil
	case f.output == "":
		return strings.TrimSuffix(in.path, ".onnx") + "." + passNames + ".onnx", nil
	case many || isFolder(f.output):
		rel := in.rel
		if rel == "-" {
			rel = "stdin.onnx"
		}
		return filepath.Join(f.output, rel), nil
	}
	return filepath.Clean(f.output), nil
}

// tooMany refuses several models for one file. A report that was given as an
// argument looks like a model: --json takes no file.
func tooMany(models []input, output string) error {
	var names []string
	hint := "name a folder: -o DIR/"
	for _, m := range models {
		names = append(names, m.path)
		if kind := strings.TrimPrefix(filepath.Ext(m.path), "."); kind == "json" || kind == "md" {
			hint = fmt.Sprintf("a report goes to a file by --report %s:%s", kind, m.path)
		}
	}
	return usageError("%d models cannot be written to one file", len(models)).
		With("file", output, "models", strings.Join(names, ", ")).Hinted("%s", hint)
}

// separate refuses several models that would go to one place, and reports that
// would overwrite a model.
func (f *runFlags) separate(models []input, passNames string) error {
	many := len(models) > 1
	switch {
	case many && f.output == "-":
		return usageError("several models cannot go to standard output").Hinted("name a folder: -o DIR/")
	case many && filepath.Ext(f.output) == ".onnx" && !isFolder(f.output):
		return tooMany(models, f.output)
	}
	reports, err := parseReports(f.reports)
	if err != nil {
		return err
	}
	seen := map[string]string{}
	for _, in := range models {
		out, err := f.place(in, many, passNames)
		if err != nil {
			return err
		}
		if first, ok := seen[out]; ok {
			return usageError("two models would be written to one file").With("file", out, "first", first, "second", in.path).
				Hinted("run them one by one, with different outputs")
		}
		seen[out] = in.path
		for _, r := range reports {
			if same(r.path, in.path) || same(r.path, out) {
				return diag.New("OP2011", "a report would overwrite a model", "file", r.path).Hinted("give the report a name of its own")
			}
		}
	}
	return nil
}

// same tells whether two paths are one file.
func same(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(os.PathSeparator)) || err == nil && st.IsDir()
}

// mayWrite refuses to overwrite what the user did not say may be overwritten.
func (f *runFlags) mayWrite(in, out string, stdout io.Writer) error {
	if out == "-" {
		if isTerminal(stdout) {
			return diag.New("OP2013", "a model is not written to a terminal").Hinted("redirect standard output, or name a file with -o")
		}
		return nil
	}
	have, err := os.Stat(out)
	if err != nil {
		return nil
	}
	if from, err := os.Stat(in); err == nil && os.SameFile(have, from) {
		if f.inPlace {
			return nil
		}
		return diag.New("OP2011", "the output is the input", "file", out).Hinted("--in-place replaces it")
	}
	if !f.force {
		return diag.New("OP2011", "the output exists already", "file", out).Hinted("--force overwrites it")
	}
	return nil
}

// toStdout copies a finished file to standard output.
func (a *app) toStdout(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(a.out, f); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}
