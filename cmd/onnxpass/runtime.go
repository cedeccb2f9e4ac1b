package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// lazyRunner loads its library when it is first used: a run that executes nothing never pays for it.
type lazyRunner struct {
	path string
	load func() (calib.Runner, error)
}

func newLazy(path string, load func(string) (calib.Runner, error)) *lazyRunner {
	return &lazyRunner{path, sync.OnceValues(func() (calib.Runner, error) { return load(path) })}
}

// Name is the runtime with its version.
func (l *lazyRunner) Name() string {
	r, err := l.load()
	if err != nil {
		return l.path
	}
	return r.Name()
}

// Open loads the library, then the model.
func (l *lazyRunner) Open(ctx context.Context, m *onnx.Model, o calib.OpenOptions) (calib.Session, error) {
	r, err := l.load()
	if err != nil {
		return nil, err
	}
	return r.Open(ctx, m, o)
}

// attachRunners gives a job ONNX Runtime and, for a target that has one, its own runtime.
func (a *app) attachRunners(targetName, check string, job *passes.Job) error {
	found, _, err := runtimelib.Find(runtimelib.ONNXRuntime(), runtimelib.Options{Flag: a.global.ortLib})
	switch {
	case err == nil:
		job.Runner = newLazy(found.Path, func(path string) (calib.Runner, error) { return ort.Load(path) })
	case a.global.ortLib != "":
		return err
	default:
		job.NoRunner = err
	}
	if targetName != "openvino" || check == "off" {
		if check == "require" {
			return usageError("--runtime-check require: target %s has no runtime of its own that onnxpass can run", targetName).
				Hinted("ONNX Runtime is always asked; use --target openvino")
		}
		return nil
	}
	return a.attachOpenVINO(check, job)
}

func (a *app) runtimeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "runtime", Short: "find or install the library that runs models", Args: exactly(0, "a subcommand"),
		Long: "onnxpass runs models with ONNX Runtime, a shared library that it loads when needed:\n" +
			"for calibration, numeric verification and gates. Everything else works without it.",
		Example: "  onnxpass runtime status\n  onnxpass runtime install",
		RunE:    func(c *cobra.Command, _ []string) error { help(c); return nil },
	}
	c.AddCommand(&cobra.Command{
		Use: "status", Short: "which libraries are there, where, and their versions", Args: exactly(0, "no argument"),
		Example: "  onnxpass runtime status\n  onnxpass runtime status --quiet   # exit 6 when there is none",
		RunE:    func(*cobra.Command, []string) error { return a.runtimeStatus() },
	}, a.installCommand())
	return c
}

// library is one runtime in the output of status.
type library struct {
	Name    string `json:"name"`
	Found   bool   `json:"found"`
	Path    string `json:"path,omitempty"`
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (a *app) runtimeStatus() error {
	first, err := a.status(runtimelib.ONNXRuntime(), a.global.ortLib, func(p string) (calib.Runner, error) { return ort.Load(p) })
	second, _ := a.status(runtimelib.OpenVINO(), a.global.openvinoLib, a.loadOpenVINO)
	switch {
	case a.global.json:
		if jerr := a.printJSON([]library{first, second}); jerr != nil {
			return jerr
		}
	case !a.global.quiet:
		for _, l := range []library{first, second} {
			a.printLibrary(l)
		}
	}
	if err == nil {
		return nil
	}
	if a.global.quiet || a.global.json {
		a.code = messages(err)[0].Exit()
		return nil
	}
	return err
}

// status finds and loads one library.
func (a *app) status(k runtimelib.Kind, flag string, load func(string) (calib.Runner, error)) (library, error) {
	l := library{Name: k.Name}
	found, _, err := runtimelib.Find(k, runtimelib.Options{Flag: flag})
	if err != nil {
		l.Problem = messages(err)[0].What
		return l, err
	}
	l.Path, l.Source = found.Path, found.Source
	r, err := load(found.Path)
	if err != nil {
		l.Problem = err.Error()
		return l, err
	}
	l.Found, l.Version = true, r.Name()
	return l, nil
}

func (a *app) printLibrary(l library) {
	if !l.Found {
		fmt.Fprintf(a.out, "%-13s not found: %s\n", l.Name, printable(l.Problem))
		return
	}
	fmt.Fprintf(a.out, "%-13s %s\n%-13s %s (%s)\n", l.Name, l.Version, "", l.Path, l.Source)
}

func (a *app) installCommand() *cobra.Command {
	o := runtimelib.InstallOptions{}
	c := &cobra.Command{
		Use: "install", Short: "get ONNX Runtime with pip or npm, check it, keep it in the cache", Args: exactly(0, "no argument"),
		Long: "Download one pinned release of ONNX Runtime with the client that is there (pip: 28 MB,\n" +
			"npm: 113 MB), check its SHA-256 and unpack the one library file into the cache folder.",
		Example: "  onnxpass runtime install\n  onnxpass runtime install --client npm",
		RunE: func(c *cobra.Command, _ []string) error {
			o.Log = func(line string) {
				if !a.global.quiet {
					fmt.Fprintln(a.err, line)
				}
			}
			done, err := runtimelib.Install(c.Context(), o)
			if err != nil {
				return err
			}
			if a.global.json {
				return a.printJSON(map[string]string{"path": done.Path, "version": done.Version, "client": done.Client})
			}
			_, err = fmt.Fprintf(a.out, "ONNX Runtime %s: %s\n", done.Version, done.Path)
			return err
		},
	}
	c.Flags().StringVar(&o.Client, "client", "", "`CLIENT` to download with: pip or npm; default the one that is there")
	c.Flags().StringVar(&o.Dir, "dir", "", "cache `FOLDER`; default that of this user")
	return c
}

// errNoOpenVINO is why the target's own runtime was not asked.
var errNoOpenVINO = errors.New("this build cannot run OpenVINO")

// attachOpenVINO gives the job OpenVINO as the target's own runtime, if it is there.
func (a *app) attachOpenVINO(check string, job *passes.Job) error {
	job.NeedPeer = check == "require"
	found, _, err := runtimelib.Find(runtimelib.OpenVINO(), runtimelib.Options{Flag: a.global.openvinoLib})
	switch {
	case err == nil:
		job.Peer = newLazy(found.Path, a.loadOpenVINO)
	case a.global.openvinoLib != "":
		return err
	default:
		job.NoPeer = err
	}
	return nil
}

func (a *app) loadOpenVINO(path string) (calib.Runner, error) {
	return nil, diag.New("OP6204", "OpenVINO cannot be run", "library", path).Wrap(errNoOpenVINO)
}
