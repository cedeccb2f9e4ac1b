package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// document is the JSON report of one model: the result, the command and how it ended.
type document struct {
	Command string `json:"command"`
	*passes.Result
	Errors   []*diag.Error `json:"errors"`
	ExitCode int           `json:"exit_code"`
}

// batch is the document for several models.
type batch struct {
	Schema   string      `json:"schema"`
	Command  string      `json:"command"`
	Runs     []*document `json:"runs"`
	ExitCode int         `json:"exit_code"`
}

func newDocument(command string, r *passes.Result, err error) *document {
	if r == nil {
		r = &passes.Result{Schema: passes.Schema, Tool: toolName()}
	}
	list(&r.Gates)
	list(&r.Findings)
	list(&r.Notes)
	list(&r.Contract)
	d := &document{Command: command, Result: r, Errors: []*diag.Error{}}
	if err != nil {
		d.Errors = messages(err)
		d.ExitCode = d.Errors[0].Exit()
	}
	return d
}

// list makes a list that holds nothing an empty one: null is no list to those who read the document.
func list[T any](l *[]T) {
	if *l == nil {
		*l = []T{}
	}
}

// publish prints the document on stdout with --json, and writes the reports.
func (a *app) publish(reports []string, docs []*document) error {
	whole := any(docs[0])
	if len(docs) > 1 {
		b := batch{Schema: "onnxpass.batch/1", Command: docs[0].Command, Runs: docs}
		for _, d := range docs {
			if b.ExitCode == 0 {
				b.ExitCode = d.ExitCode
			}
		}
		whole = b
	}
	var errs []error
	if a.global.json {
		errs = append(errs, a.printJSON(whole))
	}
	parsed, err := parseReports(reports)
	errs = append(errs, err)
	for _, r := range parsed {
		errs = append(errs, r.write(whole, docs))
	}
	return errors.Join(errs...)
}

// replaceFile writes a file that appears complete or not at all.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".onnxpass-report-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Chmod(f.Name(), 0o644); err == nil {
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
