package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

const runExamples = `  onnxpass -p quant model.onnx -d samples/ -o model.int8.onnx --target openvino
  onnxpass -p quant:range=minmax model.onnx -d images/ --preset imagenet --dry-run
  onnxpass -p fold models/*.onnx -o optimised/`

// rootCommand is the command without a name: it runs passes.
func (a *app) rootCommand() *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:     "onnxpass [-p PASSES] MODEL... [flags]",
		Short:   "prepare trained ONNX models for deployment",
		Long:    "onnxpass prepares trained ONNX models for deployment: it runs passes over a model,\nproves the result on samples and writes a file for a named runtime.",
		Example: runExamples,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !anyFlag(c) {
				help(c)
				return nil
			}
			if len(args) > 0 {
				if err := a.mistypedCommand(c, args[0]); err != nil {
					return err
				}
			}
			return a.runPasses(c.Context(), f, args)
		},
	}
	f.add(c.Flags())
	return c
}

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use: "run MODEL...", Short: "run passes (the default action)", Args: cobra.ArbitraryArgs,
		Long:    "Run passes over models, prove the result on held-out samples and write it.\nMODEL is a file, a folder, or - for standard input.",
		Example: runExamples,
		RunE:    func(c *cobra.Command, args []string) error { return a.runPasses(c.Context(), f, args) },
	}
	f.add(c.Flags())
	return c
}

// anyFlag says whether a flag of the command was set.
func anyFlag(c *cobra.Command) bool { return c.Flags().NFlag() > 0 }

// mistypedCommand recognises a word that is no file but looks like a command.
func (a *app) mistypedCommand(c *cobra.Command, word string) error {
	if word == "-" || strings.ContainsAny(word, `./\`) {
		return nil
	}
	if _, err := os.Stat(word); err == nil {
		return nil
	}
	var names []string
	for _, s := range c.Commands() {
		names = append(names, s.Name())
	}
	e := usageError("%q is neither a command nor a file", word)
	if near := diag.DidYouMean(word, names); near != "" {
		return e.Hinted("%s", near)
	}
	return e.Hinted("see onnxpass --help")
}

// count writes a number with its word.
func count(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
