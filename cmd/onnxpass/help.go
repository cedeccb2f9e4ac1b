package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groupKey is the flag annotation that says under which heading help lists a flag.
const groupKey = "group"

func setGroup(fs *pflag.FlagSet, group string, names ...string) {
	for _, n := range names {
		_ = fs.SetAnnotation(n, groupKey, []string{group})
	}
}

// groupOrder is the order of the headings.
var groupOrder = []string{"Most used", "Data", "Selection", "Gates (one that fails: exit 4, nothing written)", "Run", "Output", "General"}

func usage(c *cobra.Command) error {
	help(c)
	return nil
}

// help prints what a command does, how it is called, examples, subcommands and flags.
func help(c *cobra.Command) {
	w := c.OutOrStdout()
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintln(w, strings.TrimSpace(text))
	if c.Runnable() {
		fmt.Fprintf(w, "\nUsage: %s\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExamples\n%s\n", strings.TrimRight(c.Example, "\n"))
	}
	printCommands(w, c)
	if c.HasParent() || !c.HasAvailableSubCommands() {
		printFlags(w, c)
		return
	}
	fmt.Fprintln(w, "\nAll flags: onnxpass run --help.   Exit codes: onnxpass help exit-codes.   Pass lists: onnxpass help spec.")
}

func printCommands(w io.Writer, c *cobra.Command) {
	title := false
	for _, s := range c.Commands() {
		if !s.IsAvailableCommand() || s.Name() == "help" {
			continue
		}
		if !title {
			fmt.Fprintln(w, "\nCommands")
			title = true
		}
		fmt.Fprintf(w, "  %-34s %s\n", strings.TrimPrefix(strings.TrimSuffix(s.UseLine(), " [flags]"), "onnxpass "), s.Short)
	}
}

func printFlags(w io.Writer, c *cobra.Command) {
	byGroup := map[string][]*pflag.Flag{}
	order := append([]string(nil), groupOrder...)
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		g := "Flags"
		if a := f.Annotations[groupKey]; len(a) > 0 {
			g = a[0]
		} else if len(byGroup[g]) == 0 {
			order = append([]string{g}, order...)
		}
		byGroup[g] = append(byGroup[g], f)
	})
	for _, g := range order {
		if len(byGroup[g]) > 0 {
			fmt.Fprintf(w, "\n%s\n", g)
		}
		for _, f := range byGroup[g] {
			fmt.Fprintln(w, flagLine(f))
		}
	}
}

func flagLine(f *pflag.Flag) string {
	short := "    "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	kind, text := pflag.UnquoteUsage(f)
	if e, ok := f.Value.(*enum); ok {
		text += ": " + strings.Join(e.choices, ", ")
	}
	line := fmt.Sprintf("  %s%-24s %s", short, strings.TrimSpace("--"+f.Name+" "+kind), text)
	if def := f.DefValue; def != "" && def != "false" && def != "[]" && def != "0" {
		line += " (" + def + ")"
	}
	return line
}

// topics are help texts without a command.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "what the exit status means", Long: exitCodes},
		{Use: "spec", Short: "the grammar of -p and --set", Long: specHelp},
		{Use: "environment", Short: "variables that are read", Long: environmentHelp},
	}
}

const exitCodes = `Exit codes of onnxpass

  code  meaning                                                        worth a retry
  0     done, all gates passed                                         -
  1     unexpected failure: a defect, or the system refused a file     yes
  2     usage: bad flag or option, nothing matched a selection         no
  3     the model cannot be read, is invalid, or cannot be treated     no
  4     a gate failed (numbers, size, MACs); the output is not written no
  5     check: findings at or above --fail-on; target rules broken     no
  6     samples or runtime: none, wrong shape or type, unreadable      no
  7     resource: a limit of memory or size was reached                maybe
  130   interrupted (SIGINT)                                           yes
  143   terminated (SIGTERM)                                           yes

Every message carries a code such as OP6012; its first digit is the exit code,
OP8xxx are warnings. onnxpass explain CODE says more.`

const specHelp = `Pass lists

  list   = pass { "," pass }
  pass   = NAME [ ":" option { "," option } ]
  option = KEY "=" VALUE

  onnxpass -p quant:range=percentile,percentile=99.9 model.onnx -d samples/
  onnxpass -p quant --set quant.range=minmax model.onnx -d samples/

An item with "=" belongs to the pass before it. A value that holds a comma is
put into double quotes or parentheses: quant:keep=(Softmax,Add). In quotes, \"
and \\ stand for a quote and a backslash. --set takes the value as it is.

Passes run in the order of their phases (cleanup, structure, precision,
quantize, storage, finish) whatever order is typed, and pull in the passes
they need. --keep-order takes the list as typed; --no-prep pulls in nothing.
-p none runs no pass: the model is read, checked and written again.`

const environmentHelp = `Environment

  ONNXPASS_<FLAG>   value of a flag that is not on the command line:
                    ONNXPASS_TARGET=openvino, ONNXPASS_ORT_LIB=/opt/libonnxruntime.so
  NO_COLOR          no colours in messages
  CI                no progress bar

Flags on the command line win over the environment.`
