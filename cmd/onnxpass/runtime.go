package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/openvino"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// lazyRunner loads its library when it is first used: a run that executes nothing never pays for it.
type lazyRunner struct {
	kind string
	load func() (calib.Runner, error)
}

func newLazy(kind string, load func() (calib.Runner, error)) *lazyRunner {
	return &lazyRunner{kind, sync.OnceValues(load)}
}

// Name is the runtime with its version.
func (l *lazyRunner) Name() string {
	r, err := l.load()
	if err != nil {
		return l.kind
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
func (a *app) attachRunners(ctx context.Context, profile *target.Profile, check string, job *passes.Job) error {
	if err := a.attachORT(job); err != nil {
		return err
	}
	targetName := "none"
	if profile != nil {
		targetName = profile.Name
	}
	if targetName == "openvino" && check != "off" {
		return a.attachOpenVINO(ctx, check, job)
	}
	if check == "require" {
		return usageError("--runtime-check require: target %s has no runtime of its own that onnxpass can run", targetName).
			Hinted("ONNX Runtime is always asked; use --target openvino")
	}
	return nil
}

// attachORT gives the job ONNX Runtime, or the reason why there is none.
func (a *app) attachORT(job *passes.Job) error {
	if !runtimelib.Executes {
		_, job.NoRunner = ort.Load("")
		return nil
	}
	options := runtimelib.Options{Flag: a.global.ortLib}
	if _, _, err := runtimelib.Find(runtimelib.ONNXRuntime(), options); err != nil {
		job.NoRunner = err
		if a.global.ortLib != "" {
			return err
		}
		return nil
	}
	job.Runner = newLazy("ONNX Runtime", func() (calib.Runner, error) {
		r, _, err := ort.Discover(options)
		return r, err
	})
	return nil
}

// attachOpenVINO gives the job OpenVINO as the target's own runtime, if it is there.
func (a *app) attachOpenVINO(ctx context.Context, check string, job *passes.Job) error {
	job.NeedPeer = check == "require"
	options := runtimelib.Options{Flag: a.global.openvinoLib}
	if _, _, err := runtimelib.Find(runtimelib.OpenVINO(), options); err != nil {
		if a.global.openvinoLib != "" {
			return err
		}
		job.NoPeer = err
		return nil
	}
	job.Peer = newLazy("OpenVINO", func() (calib.Runner, error) {
		r, _, err := discoverOpenVINO(ctx, options)
		return r, err
	})
	return nil
}

// serveCommand is the hidden subcommand that a child process runs OpenVINO with.
const serveCommand = "serve-openvino"

func discoverOpenVINO(ctx context.Context, o runtimelib.Options) (calib.Runner, openvino.Status, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, openvino.Status{}, err
	}
	return openvino.Discover(ctx, o, exe, serveCommand)
}

func hiddenServe() *cobra.Command {
	return &cobra.Command{Use: serveCommand, Hidden: true, RunE: func(*cobra.Command, []string) error { return openvino.ServeStdio() }}
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
		RunE:    func(c *cobra.Command, _ []string) error { return a.runtimeStatus(c.Context()) },
	}, a.installCommand())
	return c
}

// library is one runtime in the output of status.
type library struct {
	Name    string   `json:"name"`
	Found   bool     `json:"found"`
	Path    string   `json:"path,omitempty"`
	Source  string   `json:"source,omitempty"`
	Version string   `json:"version,omitempty"`
	Problem string   `json:"problem,omitempty"`
	Tried   []string `json:"tried"` // places that were looked at
}

func (a *app) runtimeStatus(ctx context.Context) error {
	r, st, err := ort.Discover(runtimelib.Options{Flag: a.global.ortLib})
	first := describeLibrary("ONNX Runtime", st.Path, st.Source, st.Version, st.Tried, err)
	if err == nil {
		defer r.Close()
	}
	_, peer, peerErr := discoverOpenVINO(ctx, runtimelib.Options{Flag: a.global.openvinoLib})
	second := describeLibrary("OpenVINO", peer.Path, peer.Source, peer.Version, peer.Tried, peerErr)
	switch {
	case a.global.json:
		if jerr := a.printJSON([]library{first, second}); jerr != nil {
			return jerr
		}
	case !a.global.quiet:
		a.printLibrary(first)
		a.printLibrary(second)
	}
	if err != nil && (a.global.quiet || a.global.json) {
		a.code = messages(err)[0].Exit()
		return nil
	}
	return err
}

func describeLibrary(name, path, source, version string, tried []string, err error) library {
	l := library{Name: name, Found: err == nil, Path: path, Source: source, Version: version, Tried: tried}
	if err != nil {
		l.Problem = messages(err)[0].What
	}
	return l
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
	c.Flags().StringVar(&o.Platform, "platform", "", "fetch for another `OS/ARCH`, such as linux/arm64; default this one")
	return c
}
