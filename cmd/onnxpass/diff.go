package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

func (a *app) diffCommand() *cobra.Command {
	var breaking bool
	c := &cobra.Command{
		Use: "diff A B", Short: "structural difference of two models", Args: exactly(2, "two models"),
		Long: "Show how model B differs from A: interface, header, nodes, weights and cost.\n" +
			"Nodes are paired by name, unnamed ones by what they compute. Runs nothing: see verify.",
		Example: "  onnxpass diff model.onnx model.int8.onnx\n  onnxpass diff --breaking old.onnx new.onnx   # exit 4 when the interface changed",
		RunE:    func(_ *cobra.Command, args []string) error { return a.diff(args[0], args[1], breaking) },
	}
	c.Flags().BoolVar(&breaking, "breaking", false, "fail when inputs or outputs changed in name, order, type or shape")
	return c
}

// difference is what diff says.
type difference struct {
	Schema    string      `json:"schema"`
	A         string      `json:"a"`
	B         string      `json:"b"`
	Interface []string    `json:"interface"`
	Header    []string    `json:"header"`
	Before    passes.Bill `json:"before"`
	After     passes.Bill `json:"after"`
	Removed   []string    `json:"nodes_removed"`
	Added     []string    `json:"nodes_added"`
	Changed   []change    `json:"nodes_changed"`
	Weights   []string    `json:"weights"`
}

// change is one node before and after, in text form.
type change struct {
	Node   string `json:"node"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func (a *app) diff(pathA, pathB string, breaking bool) error {
	ma, err := a.open(pathA)
	if err != nil {
		return err
	}
	defer ma.Close()
	mb, err := a.open(pathB)
	if err != nil {
		return err
	}
	defer mb.Close()
	d, err := compareModels(ma, mb)
	if err != nil {
		return err
	}
	d.A, d.B = pathA, pathB
	d.Before.FileBytes, d.After.FileBytes = sizeOf(pathA, ma), sizeOf(pathB, mb)
	if a.global.json {
		err = a.printJSON(d)
	} else {
		a.printDiff(d)
	}
	if err == nil && breaking && len(d.Interface) > 0 {
		return diag.New("OP4010", "the interface of the model changed", "changes", strings.Join(d.Interface, "\n"))
	}
	return err
}

// mostDifferences is how many entries of one kind are printed without -v.
const mostDifferences = 20

func (a *app) printDiff(d *difference) {
	w := a.out
	if len(d.Interface) == 0 {
		fmt.Fprintln(w, "interface  unchanged")
	}
	for _, c := range d.Interface {
		fmt.Fprintf(w, "interface  %s\n", printable(c))
	}
	for _, c := range d.Header {
		fmt.Fprintf(w, "header     %s\n", printable(c))
	}
	s := &sheet{w: w}
	fmt.Fprintln(w)
	s.row("", "A", "B", "change")
	for _, r := range comparisonRows(d.Before, d.After) {
		s.row(r[0], r[1], r[2], r[3])
	}
	fmt.Fprintf(w, "\nnodes: %d removed, %d added, %d changed; weights: %d differ\n", len(d.Removed), len(d.Added), len(d.Changed), len(d.Weights))
	var changed []string
	for _, c := range d.Changed {
		changed = append(changed, c.Before+"\n  > "+c.After)
	}
	for _, part := range []struct {
		mark  string
		lines []string
	}{{"- ", d.Removed}, {"+ ", d.Added}, {"~ ", changed}, {"w ", d.Weights}} {
		a.printSome(part.mark, part.lines)
	}
}

func (a *app) printSome(mark string, lines []string) {
	for i, l := range lines {
		if i == mostDifferences && !a.global.verbose {
			fmt.Fprintf(a.out, "%sand %d more (-v prints all)\n", mark, len(lines)-i)
			return
		}
		fmt.Fprintf(a.out, "%s%s\n", mark, printable(l))
	}
}
