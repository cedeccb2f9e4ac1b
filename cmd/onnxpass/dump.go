package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
)

func (a *app) dumpCommand() *cobra.Command {
	var out string
	var full, force bool
	c := &cobra.Command{
		Use: "dump MODEL", Short: "print a model as text", Args: exactly(1, "one model"),
		Long: "Print a model in the ONNX text form, one node a line. Tensors with more than 16\n" +
			"elements are shown by digest and range, unless --full is given. The text is\n" +
			"stable, so git can compare models: *.onnx diff=onnx in .gitattributes, and\n" +
			"git config diff.onnx.textconv 'onnxpass dump'.",
		Example: "  onnxpass dump model.onnx | less\n  onnxpass dump model.onnx -o model.txt",
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := a.open(args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			o := text.Options{Elide: 16}
			if full {
				o.Elide = 0
			}
			if out == "" || out == "-" {
				w := bufio.NewWriter(a.out)
				return errors.Join(text.Print(w, m, o), w.Flush())
			}
			if err := mayWriteText(args[0], out, force); err != nil {
				return err
			}
			return writeText(out, func(w *bufio.Writer) error { return text.Print(w, m, o) })
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`")
	c.Flags().BoolVar(&full, "full", false, "print the content of every tensor")
	c.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	setGroup(c.Flags(), "Output", "output", "full", "force")
	return c
}

// mayWriteText refuses to overwrite the model, or another file without --force.
func mayWriteText(in, out string, force bool) error {
	if same(in, out) {
		return diag.New("OP2011", "the output is the input", "file", out).Hinted("give the text a name of its own, such as model.txt")
	}
	if _, err := os.Lstat(filepath.Clean(out)); err == nil && !force {
		return diag.New("OP2011", "the output exists already", "file", out).Hinted("--force overwrites it")
	}
	return folderOf("output", out)
}

// writeText writes a file that appears complete or not at all.
func writeText(path string, print func(*bufio.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".onnxpass-text-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	if err := errors.Join(print(w), w.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
