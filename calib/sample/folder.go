package sample

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// kind is what a file name says about its content.
type kind string

const (
	kindNpy     kind = ".npy arrays"
	kindNpz     kind = ".npz archives"
	kindPB      kind = "ONNX test data (.pb)"
	kindPicture kind = "pictures"
	kindBin     kind = "raw .bin files"
)

var kinds = map[string]kind{
	".npy": kindNpy, ".npz": kindNpz, ".pb": kindPB, ".bin": kindBin, ".raw": kindBin,
	".jpg": kindPicture, ".jpeg": kindPicture, ".png": kindPicture, ".webp": kindPicture,
}

func kindOf(path string) kind { return kinds[strings.ToLower(filepath.Ext(path))] }

const readable = ".npy, .npz, input_N.pb, .jpg, .png, .webp or .bin files, or folders of one of these kinds"

// maxFiles bounds the files of a folder.
const maxFiles = 5_000_000

// entry is one file of samples.
type entry struct {
	path string
	name string // relative to the folder that holds what the user named, with slashes
}

// list finds the files behind a path, in natural order of their names, and their kind.
func list(path string) ([]entry, kind, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, "", unreadable(path, err)
	}
	if st.IsDir() {
		return listFolder(path)
	}
	k := kindOf(path)
	if k == "" || !st.Mode().IsRegular() {
		return nil, "", diag.New("OP6005", "samples of this kind cannot be read", "data", path, "wanted", readable).
			Hinted("save the samples as .npy arrays, for instance with numpy.save")
	}
	return []entry{{path, filepath.Base(path)}}, k, nil
}

func listFolder(path string) ([]entry, kind, error) {
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, "", unreadable(path, err)
	}
	found := map[kind][]entry{}
	n := 0
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return unreadable(p, err)
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && p != root; hidden && d.IsDir() {
			return filepath.SkipDir
		} else if hidden || !isFile(p, d) {
			return nil
		}
		if n++; n > maxFiles {
			return diag.New("OP6016", "the folder has too many files", "data", path, "limit", fmt.Sprint(maxFiles))
		}
		if k := kindOf(p); k != "" && !(k == kindPB && !pbNumber.MatchString(d.Name())) {
			rel, _ := filepath.Rel(root, p)
			found[k] = append(found[k], entry{p, filepath.ToSlash(filepath.Join(filepath.Base(path), rel))})
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return only(found, path)
}

// isFile tells whether a folder's member is a regular file, links to files included.
func isFile(p string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	st, err := os.Stat(p)
	return err == nil && st.Mode().IsRegular()
}

// only is the single kind that was found.
func only(found map[kind][]entry, path string) ([]entry, kind, error) {
	var seen []string
	var k kind
	for _, c := range []kind{kindNpy, kindNpz, kindPB, kindPicture, kindBin} {
		if len(found[c]) > 0 {
			seen, k = append(seen, fmt.Sprintf("%d %s", len(found[c]), c)), c
		}
	}
	switch len(seen) {
	case 0:
		return nil, "", diag.New("OP6004", "the folder has no samples", "data", path, "wanted", readable).
			Hinted("check the path; file names must end in one of these")
	case 1:
		files := found[k]
		slices.SortStableFunc(files, func(a, b entry) int { return natural(a.name, b.name) })
		return files, k, nil
	}
	return nil, "", diag.New("OP6006", "the folder mixes kinds of samples", "data", path, "found", strings.Join(seen, ", ")).
		Hinted("keep one kind in a folder, or name the files one by one")
}

// natural orders names by their parts, digits by value: a2 before a10. Names
// that are equal so far are in byte order.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		p, q := lead(x), lead(y)
		x, y = x[len(p):], y[len(q):]
		if c := compareParts(p, q); c != 0 {
			return c
		}
	}
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(a, b)
}

// lead is the first run of digits, or of anything else.
func lead(s string) string {
	n := 1
	for n < len(s) && digit(s[n]) == digit(s[0]) {
		n++
	}
	return s[:n]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func compareParts(p, q string) int {
	if digit(p[0]) && digit(q[0]) {
		p, q = strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0")
		if len(p) != len(q) {
			return len(p) - len(q)
		}
	}
	return strings.Compare(p, q)
}
