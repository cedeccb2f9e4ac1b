package runtimelib

import (
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Options say where to look beyond the fixed places.
type Options struct {
	Flag string              // value of the command-line flag; empty when not given
	Env  func(string) string // nil: os.Getenv
}

func (o Options) env(name string) string {
	if o.Env != nil {
		return o.Env(name)
	}
	return os.Getenv(name)
}

// Found is a library file.
type Found struct {
	Path   string
	Source string // where it was found, for people: "Python package", "--ort-lib", ...
	Asked  bool   // named by the flag or the environment: no other will do
}

// Find returns the first library in the order flag, environment variable,
// beside the executable, cache, system, Python, Node.js. tried lists the
// places that were looked at, also on success. The error is OP6201.
func Find(k Kind, o Options) (found Found, tried []string, err error) {
	for f, place := range Candidates(k, o) {
		tried = append(tried, place)
		if f.Path != "" {
			return f, tried, nil
		}
	}
	return Found{}, tried, NotFound(k, o, tried)
}

// NotFound is the message for a runtime that is in none of the places tried.
func NotFound(k Kind, o Options, tried []string) error {
	e := diag.New("OP6201", "no "+k.Name+" library found")
	if len(tried) > 0 {
		e.With("looked in", strings.Join(tried, "; "))
	}
	return e.Hinted("%s", k.Hint)
}

// Candidates yields, in order of preference, every library that is there with
// the place it is in, and places without one with an empty Found. After a
// library that was asked for by flag or environment nothing follows.
func Candidates(k Kind, o Options) iter.Seq2[Found, string] {
	return func(yield func(Found, string) bool) {
		for _, asked := range []struct{ name, value string }{{k.Flag, o.Flag}, {k.Env, o.env(k.Env)}} {
			if asked.value != "" {
				yield(k.asked(asked.name, asked.value))
				return
			}
		}
		for _, p := range k.places(o) {
			for _, dir := range p.dirs() {
				path := k.in(dir)
				if path == "" {
					continue
				}
				if !yield(Found{Path: path, Source: p.source}, p.source+" ("+dir+")") {
					return
				}
			}
			if !yield(Found{}, p.source) {
				return
			}
		}
	}
}

// asked resolves a file or folder that the user named.
func (k Kind) asked(name, value string) (Found, string) {
	place := name + " " + value
	st, err := os.Stat(value)
	if err == nil && st.IsDir() {
		value = k.in(value)
	}
	if err != nil || value == "" {
		return Found{}, place
	}
	return Found{Path: value, Source: name, Asked: true}, place
}

// in returns the library in a folder, the highest version if there are several, or "".
func (k Kind) in(dir string) string {
	for _, name := range k.Files {
		files := glob(dir, name)
		files = slices.DeleteFunc(files, func(f string) bool {
			st, err := os.Stat(f)
			return err != nil || !st.Mode().IsRegular()
		})
		if len(files) > 0 {
			return files[0]
		}
	}
	return ""
}

// literal escapes the pattern characters of a path.
var literal = strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`)

// glob expands pattern below the folder base, higher versions first.
func glob(base, pattern string) []string {
	if runtime.GOOS != "windows" { // where names cannot hold them, nor can patterns escape them
		base = literal.Replace(base)
	}
	files, _ := filepath.Glob(filepath.Join(base, filepath.FromSlash(pattern)))
	slices.SortFunc(files, func(a, b string) int { return compareVersions(b, a) })
	return files
}
