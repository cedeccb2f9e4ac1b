package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/all"
)

// app is one invocation of the command.
type app struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	set    passes.Set
	global globalFlags
	log    *slog.Logger
	code   int // exit code of a command that failed without an error to print
}

// globalFlags belong to every command.
type globalFlags struct {
	json, quiet, verbose bool
	color, logFormat     string
	ortLib, openvinoLib  string
}

func newApp(in io.Reader, out, err io.Writer) *app {
	return &app{in: in, out: out, err: err, set: all.Set(), log: slog.New(slog.DiscardHandler)}
}

// execute parses the arguments and runs the command they name.
func (a *app) execute(ctx context.Context, args []string) error {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return root.ExecuteContext(ctx)
}

func (a *app) root() *cobra.Command {
	root := a.rootCommand()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { help(c) })
	a.addGlobalFlags(root.PersistentFlags())
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := fromEnvironment(c.Flags()); err != nil {
			return flagError(c, err)
		}
		a.log = a.logger()
		return nil
	}
	root.AddCommand(a.runCommand(), a.inspectCommand(), a.explainPruneCommand(), a.checkCommand(), a.verifyCommand(), a.sensitivityCommand(), a.diffCommand(), a.dumpCommand(),
		a.passesCommand(), a.targetsCommand(), a.runtimeCommand(), a.explainCommand(), a.versionCommand(), hiddenServe())
	root.AddCommand(topics()...)
	unsorted(root)
	return root
}

// unsorted makes help list flags in the order in which they are declared.
func unsorted(c *cobra.Command) {
	c.Flags().SortFlags = false
	for _, s := range c.Commands() {
		unsorted(s)
	}
}

func (a *app) addGlobalFlags(fs *pflag.FlagSet) {
	g := &a.global
	fs.BoolVar(&g.json, "json", false, "one JSON document on stdout instead of text")
	fs.BoolVarP(&g.quiet, "quiet", "q", false, "print errors only")
	fs.BoolVarP(&g.verbose, "verbose", "v", false, "say what is done, and list every node that was skipped")
	fs.Var(newEnum(&g.color, "auto", "auto", "always", "never"), "color-output", "colours in messages")
	fs.Var(newEnum(&g.logFormat, "text", "text", "json"), "log-format", "form of log lines on stderr")
	fs.StringVar(&g.ortLib, "ort-lib", "", "the ONNX Runtime library `FILE` to use")
	fs.StringVar(&g.openvinoLib, "openvino-lib", "", "the OpenVINO C library `FILE` to use")
	setGroup(fs, "General", "json", "quiet", "verbose", "color-output", "log-format", "ort-lib", "openvino-lib")
}

// fromEnvironment sets flags that were not given from ONNXPASS_<FLAG>. The
// variables of the libraries are read where libraries are looked for.
func fromEnvironment(fs *pflag.FlagSet) error {
	var first error
	fs.VisitAll(func(f *pflag.Flag) {
		name := "ONNXPASS_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		v, ok := os.LookupEnv(name)
		if !ok || v == "" || f.Changed || first != nil || strings.HasSuffix(f.Name, "-lib") {
			return
		}
		if err := fs.Set(f.Name, v); err != nil {
			first = err
		}
	})
	return first
}

// logger writes to stderr: warnings, with -v what is done.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case a.global.quiet:
		level = slog.LevelError
	case a.global.verbose:
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	if a.global.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	o.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return attr
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}

// isTerminal says whether w is an interactive terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colored says whether text to w may carry colours.
func (a *app) colored(w any) bool {
	switch a.global.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}
