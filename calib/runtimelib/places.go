package runtimelib

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// place is a kind of location; its folders are only listed when it is its turn.
type place struct {
	source string
	dirs   func() []string
}

func (k Kind) places(o Options) []place {
	ps := []place{
		{"beside the executable", besideExecutable},
		{"cache of runtime install", func() []string { return k.cacheDirs(o) }},
		{"system", func() []string { return k.systemDirs(o) }},
		{"Python package", func() []string { return below(pythonDirs(o), k.Python) }},
		{"Node.js package", func() []string { return below(nodeDirs(o), k.Node) }},
		{"package of python3", func() []string { return below(askPython(), k.Python) }},
	}
	if len(k.Node) == 0 {
		ps = append(ps[:4], ps[5])
	}
	if k.Cache == "" {
		ps = append(ps[:1], ps[2:]...)
	}
	return ps
}

// below expands every pattern in every folder.
func below(dirs, patterns []string) []string {
	var out []string
	for _, d := range dirs {
		for _, p := range patterns {
			out = append(out, glob(d, p)...)
		}
	}
	return out
}

func besideExecutable() []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	dir := filepath.Dir(exe)
	return []string{dir, filepath.Join(dir, "lib"), filepath.Join(dir, "..", "lib")}
}

// CacheDir is the folder that `runtime install` fills.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "onnxpass"), nil
}

func (k Kind) cacheDirs(Options) []string {
	dir, err := CacheDir()
	if err != nil {
		return nil
	}
	return glob(dir, k.Cache)
}

// systemDirs are the loader's folders and known installation roots.
func (k Kind) systemDirs(o Options) []string {
	var dirs []string
	roots := append([]string(nil), k.Roots...)
	if k.RootEnv != "" {
		if root := o.env(k.RootEnv); root != "" {
			roots = append([]string{root}, roots...)
		}
	}
	switch runtime.GOOS {
	case "linux":
		dirs = append(filepath.SplitList(o.env("LD_LIBRARY_PATH")), loaderDirs()...)
	case "darwin":
		dirs = []string{"/opt/homebrew/lib", "/usr/local/lib"}
	}
	for _, root := range roots {
		for _, r := range glob("", root) {
			dirs = append(dirs, below([]string{r}, k.Sub)...)
		}
	}
	return dirs
}

// loaderDirs are the folders of the dynamic loader: those that ld.so.conf.d
// lists, then the built-in ones.
func loaderDirs() []string {
	var dirs []string
	files, _ := filepath.Glob("/etc/ld.so.conf.d/*.conf")
	for _, name := range append(files, "/etc/ld.so.conf") {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if dir := strings.TrimSpace(lines.Text()); strings.HasPrefix(dir, "/") {
				dirs = append(dirs, dir)
			}
		}
		f.Close()
	}
	return append(dirs, "/usr/local/lib", "/usr/lib64", "/usr/lib", "/lib64", "/lib")
}

// pythonDirs are the package folders of the active environment, of the python3
// on PATH, of the user and of the system, without starting an interpreter.
func pythonDirs(o Options) []string {
	prefixes := []string{o.env("VIRTUAL_ENV"), o.env("CONDA_PREFIX")}
	for _, name := range []string{"python3", "python"} {
		if exe, err := exec.LookPath(name); err == nil {
			if real, err := filepath.EvalSymlinks(exe); err == nil && filepath.Dir(real) != filepath.Dir(exe) {
				prefixes = append(prefixes, filepath.Dir(filepath.Dir(exe)), filepath.Dir(filepath.Dir(real)))
				continue
			}
			prefixes = append(prefixes, filepath.Dir(filepath.Dir(exe)))
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		prefixes = append(prefixes, filepath.Join(home, ".local"))
		prefixes = append(prefixes, glob(home, ".pyenv/versions/*")...)
	}
	prefixes = append(prefixes, "/usr/local", "/usr", "/opt/homebrew")
	var dirs []string
	for _, p := range prefixes {
		if p != "" {
			dirs = append(dirs, packageDirs(p)...)
		}
	}
	return dirs
}

// packageDirs are the package folders below one Python prefix.
func packageDirs(prefix string) []string {
	patterns := []string{"lib/python3*/site-packages", "lib/python3*/dist-packages"}
	if runtime.GOOS == "windows" {
		patterns = []string{"Lib/site-packages"}
	}
	return below([]string{prefix}, patterns)
}

// askPython starts the interpreter on PATH for its package folders.
func askPython() []string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, name := range []string{"python3", "python"} {
		out, err := exec.CommandContext(ctx, name, "-I", "-c",
			"import site, sysconfig; print(*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_paths()['platlib'], sep='\\n')").Output()
		if err == nil {
			return strings.Split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\r", ""), "\n")
		}
	}
	return nil
}

// nodeDirs are the node_modules folders that a program started here would
// search: NODE_PATH, the global one beside node, then upwards from the current folder.
func nodeDirs(o Options) []string {
	dirs := filepath.SplitList(o.env("NODE_PATH"))
	if exe, err := exec.LookPath("node"); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(exe), "..", "lib", "node_modules"))
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			dirs = append(dirs, filepath.Join(filepath.Dir(real), "..", "lib", "node_modules"))
		}
	}
	dirs = append(dirs, "/usr/local/lib/node_modules")
	wd, err := os.Getwd()
	for err == nil {
		dirs = append(dirs, filepath.Join(wd, "node_modules"))
		if filepath.Dir(wd) == wd {
			break
		}
		wd = filepath.Dir(wd)
	}
	return dirs
}
