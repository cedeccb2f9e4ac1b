package runtimelib

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// InstallOptions steer Install. The zero value is right for the machine it runs on.
type InstallOptions struct {
	Client   string            // "pip" or "npm"; empty: pip if it is there, else npm
	Dir      string            // cache folder; empty: CacheDir()
	Platform string            // "linux/amd64"; empty: the platform of this process
	Log      func(line string) // told what is done; may be nil
}

// Installed is the outcome of Install.
type Installed struct {
	Path    string // the library file
	Version string // release of ONNX Runtime
	Client  string // the client that fetched it; empty when it was there before
}

// Install gets the pinned release of ONNX Runtime with a package client of
// this machine, checks the archive's SHA-256 and unpacks the one library file
// into the cache. The client's own index settings apply. Errors are OP6205
// (client missing or failed), OP6206 (other archive) and OP6207 (platform).
func Install(ctx context.Context, o InstallOptions) (Installed, error) {
	o = o.withDefaults()
	dir, err := o.cache()
	if err != nil {
		return Installed{}, err
	}
	client, p, err := o.choose(ctx)
	if err != nil {
		return Installed{}, err
	}
	target := filepath.Join(dir, "onnxruntime-"+p.version, filepath.Base(p.member))
	if st, err := os.Stat(target); err == nil && st.Mode().IsRegular() {
		return Installed{Path: target, Version: p.version}, nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return Installed{}, failed(err)
	}
	tmp, err := os.MkdirTemp(dir, ".download-")
	if err != nil {
		return Installed{}, failed(err)
	}
	defer os.RemoveAll(tmp)
	archive, err := o.download(ctx, client, p, tmp)
	if err != nil {
		return Installed{}, err
	}
	if err := check(archive, p.sha256); err != nil {
		return Installed{}, err
	}
	if err := unpack(archive, p.member, target); err != nil {
		return Installed{}, failed(err)
	}
	return Installed{Path: target, Version: p.version, Client: client.name}, nil
}

func failed(err error) *diag.Error {
	return diag.New("OP6205", "ONNX Runtime could not be installed").Wrap(err)
}

func (o InstallOptions) withDefaults() InstallOptions {
	if o.Platform == "" {
		o.Platform = runtime.GOOS + "/" + runtime.GOARCH
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return o
}

func (o InstallOptions) cache() (string, error) {
	if o.Dir != "" {
		return filepath.Abs(o.Dir)
	}
	dir, err := CacheDir()
	if err != nil {
		return "", failed(err)
	}
	return dir, nil
}

// client is a package client as a command line.
type client struct {
	name string
	argv []string
}

// choose picks a client that is there and what it has for the platform.
func (o InstallOptions) choose(ctx context.Context) (client, pin, error) {
	if _, ok := wheels[o.Platform]; !ok {
		return client{}, pin{}, diag.New("OP6207", "no pinned package for this platform", "platform", o.Platform).
			Hinted("install ONNX Runtime 1.18 or newer and name its library with --ort-lib")
	}
	if o.Client != "" && o.Client != "pip" && o.Client != "npm" {
		return client{}, pin{}, failed(fmt.Errorf("unknown client %q: pip or npm", o.Client))
	}
	if argv := pip(ctx); argv != nil && o.Client != "npm" {
		return client{"pip", argv}, wheels[o.Platform], nil
	}
	if npm, err := exec.LookPath("npm"); err == nil && o.Client != "pip" {
		return client{"npm", []string{npm}}, pin{nodeVersion, nodeSHA256, nodeMembers[o.Platform], ""}, nil
	}
	wanted := "pip or npm"
	if o.Client != "" {
		wanted = o.Client
	}
	return client{}, pin{}, failed(fmt.Errorf("no %s on this machine", wanted)).
		Hinted("install Python with pip or Node.js with npm, or name a library with --ort-lib or ONNXPASS_ORT_LIB")
}

// pip is the command line that starts pip, or nil.
func pip(ctx context.Context) []string {
	for _, name := range []string{"python3", "python"} {
		if exe, err := exec.LookPath(name); err == nil {
			argv := []string{exe, "-m", "pip"}
			if exec.CommandContext(ctx, exe, "-m", "pip", "--version").Run() == nil {
				return argv
			}
		}
	}
	for _, name := range []string{"pip3", "pip"} {
		if exe, err := exec.LookPath(name); err == nil {
			return []string{exe}
		}
	}
	return nil
}

// arguments of the client for fetching one archive into the current folder.
func (c client) arguments(p pin) []string {
	if c.name == "npm" {
		return append(c.argv[1:], "pack", "--silent", "--ignore-scripts", "onnxruntime-node@"+p.version)
	}
	return append(c.argv[1:], "download", "--disable-pip-version-check", "--no-input", "--progress-bar=off",
		"--no-deps", "--only-binary=:all:", "--implementation=cp", "--python-version=3.12", "--abi=cp312",
		"--platform="+p.wheel, "--dest=.", "onnxruntime=="+p.version)
}

// download runs the client in the folder dir and returns the archive that appeared there.
func (o InstallOptions) download(ctx context.Context, c client, p pin, dir string) (string, error) {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, c.argv[0], c.arguments(p)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	o.Log(fmt.Sprintf("%s: fetching ONNX Runtime %s for %s", c.name, p.version, o.Platform))
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", failed(err).With("command", strings.Join(cmd.Args, " "), "it said", lastLines(output.String(), 3)).
			Hinted("check the index settings of %s, or name a library with --ort-lib", c.name)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 {
		return "", failed(fmt.Errorf("%s left %d files instead of one archive", c.name, len(files)))
	}
	return filepath.Join(dir, files[0].Name()), nil
}

// lastLines joins the last n lines that are not empty.
func lastLines(s string, n int) string {
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}

// check compares an archive with its pinned digest.
func check(archive, want string) error {
	f, err := os.Open(archive)
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return failed(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return diag.New("OP6206", "the downloaded archive is not the expected one",
			"archive", filepath.Base(archive), "wanted", "sha256 "+want, "found", "sha256 "+got).
			Hinted("the index may serve a rebuilt file; install onnxruntime yourself and name the library with --ort-lib if you trust it")
	}
	return nil
}
