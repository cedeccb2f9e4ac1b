package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// maxHeld is how many data files stay open; exporters that write one file per
// tensor would otherwise run into the limit of open files.
const maxHeld = 64

// folder is where the external data of a model lies: nothing outside is read.
type folder struct {
	dir   string
	opt   options
	root  *os.Root
	files map[string]*dataFile
	order []*dataFile
}

// dataFile is one external data file and what the tensors claim of it.
type dataFile struct {
	file
	info    fs.FileInfo
	claims  []claim
	windows map[span]*window
}

type claim struct {
	span
	tensor string
}

func newFolder(dir string, opt options) *folder {
	return &folder{dir: dir, opt: opt, files: make(map[string]*dataFile)}
}

// external is the parsed form of TensorProto.external_data.
type external struct {
	location  string
	offset    int64
	length    int64
	hasLength bool
}

// parseExternal reads the keys of onnx.proto; checksum is carried by some
// writers and used by no reader, and other keys are left alone as the
// reference implementation does.
func parseExternal(entries []Entry) (x external, bad string) {
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if seen[e.Key] {
			return x, "key " + strconv.Quote(e.Key) + " occurs twice"
		}
		seen[e.Key] = true
		var err error
		switch e.Key {
		case "location":
			x.location = e.Value
		case "offset":
			x.offset, err = strconv.ParseInt(e.Value, 10, 64)
		case "length":
			x.length, err = strconv.ParseInt(e.Value, 10, 64)
			x.hasLength = true
		}
		if err != nil {
			return x, e.Key + " is not a number: " + strconv.Quote(e.Value)
		}
	}
	switch {
	case x.location == "":
		return x, "no location"
	case x.offset < 0 || x.length < 0:
		return x, "negative offset or length"
	}
	return x, ""
}

func (t *Tensor) assembleExternal(d *decoder, p *tensorParts, n int64) error {
	t.clear(14)
	t.clear(9)
	if p.hasRaw && p.raw.n > 0 || p.typed != 0 {
		return t.invalid("content both inside the model and in an external file", "", "")
	}
	x, bad := parseExternal(p.external)
	if bad != "" {
		return diag.New("OP3026", "external data entry is malformed: "+bad, "tensor", t.label())
	}
	size, ok := t.Type.RawSize(n)
	switch {
	case !ok && t.Type.Known():
		return t.invalid("size overflows", "", "")
	case !ok:
		size = x.length
	case x.hasLength && x.length != size && x.length != 0:
		return diag.New("OP3023", "external data has the wrong length", "tensor", t.label(),
			"wanted", fmt.Sprintf("%d bytes", size), "found", fmt.Sprintf("length %d", x.length))
	}
	if size == 0 {
		return nil
	}
	if d.ext == nil {
		return diag.New("OP3025", "the model keeps weights in another file, which cannot be found from a stream",
			"tensor", t.label(), "location", x.location).Hinted("give the model as a file, with its data file beside it")
	}
	data, err := d.ext.claim(t, x, size)
	t.Data = data
	return err
}

// claim gives the window of tensor t in its data file.
func (f *folder) claim(t *Tensor, x external, size int64) (Data, error) {
	df, err := f.file(x.location)
	if err != nil {
		var e *diag.Error
		if errors.As(err, &e) {
			e = e.With("tensor", t.label(), "size", fmt.Sprintf("%d bytes from offset %d", size, x.offset))
			if e.Code == "OP3020" && f.opt.allowMissing {
				return &missing{size, e}, nil
			}
		}
		return nil, err
	}
	if x.offset > df.size-size {
		return nil, diag.New("OP3023", "external data ends before the tensor does", "file", df.path, "tensor", t.label(),
			"wanted", fmt.Sprintf("%d bytes from offset %d", size, x.offset), "found", fmt.Sprintf("a file of %d bytes", df.size)).
			Hinted("the data file is cut short or belongs to another model; copy it again")
	}
	s := span{x.offset, size}
	w, ok := df.windows[s]
	if !ok {
		w = &window{&df.file, s.off, s.n}
		df.windows[s] = w
		df.claims = append(df.claims, claim{s, t.label()})
	}
	return w, nil
}

// file finds the data file of a location, once.
func (f *folder) file(location string) (*dataFile, error) {
	key := filepath.Clean(filepath.FromSlash(location))
	if df, ok := f.files[key]; ok {
		return df, nil
	}
	if bad := badLocation(location); bad != "" {
		return nil, diag.New("OP3021", "external data location is refused: "+bad, "location", strconv.Quote(location)).
			Hinted("weights must lie in the folder of the model or below it, with a relative path")
	}
	st, err := f.stat(location)
	if err != nil {
		return nil, err
	}
	if df := f.same(st, location); df != nil {
		f.files[key] = df
		return df, nil
	}
	df := &dataFile{windows: make(map[span]*window), info: st}
	df.path, df.size = filepath.Join(f.dir, location), st.Size()
	df.transient = len(f.order) >= maxHeld
	df.open = func() (*os.File, error) { return f.open(location) }
	f.files[key] = df
	f.order = append(f.order, df)
	return df, nil
}

// same finds the file that a link inside the folder leads to, when it is known
// under another name: overlaps must not hide behind names.
func (f *folder) same(st fs.FileInfo, location string) *dataFile {
	if !f.isLink(location) {
		return nil
	}
	for _, df := range f.order {
		if os.SameFile(df.info, st) {
			return df
		}
	}
	return nil
}

// badLocation says why a location is refused before the file system is asked.
func badLocation(location string) string {
	local := filepath.FromSlash(location)
	parts := strings.FieldsFunc(location, func(r rune) bool { return r == '/' || r == '\\' })
	switch {
	case filepath.IsAbs(local) || strings.HasPrefix(location, "/") || strings.HasPrefix(location, `\`):
		return "it is an absolute path"
	case slices.Contains(parts, ".."):
		return "it leaves the folder with .."
	case strings.ContainsRune(location, 0) || !filepath.IsLocal(local):
		return "it is not a plain relative path"
	}
	return ""
}

// stat checks that a location is a regular file that belongs to this folder alone.
func (f *folder) stat(location string) (fs.FileInfo, error) {
	st, err := f.statFile(filepath.FromSlash(location))
	path := filepath.Join(f.dir, location)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, diag.New("OP3020", "external data file is missing", "looked for", path).
			Hinted("copy the data file to the folder of the model")
	case err != nil && !errors.Is(err, fs.ErrPermission) && f.isLink(location):
		return nil, f.link(path, "it is a symbolic link that leaves the folder of the model")
	case err != nil:
		return nil, diag.New("OP3020", "external data file cannot be read", "file", path).Wrap(err)
	case !st.Mode().IsRegular():
		return nil, diag.New("OP3021", "external data is refused: not a regular file", "file", path)
	case links(st) > 1 && !f.opt.followLinks:
		return nil, f.link(path, "it is a hard link to a file that other folders may share")
	}
	return st, nil
}

func (f *folder) link(path, why string) error {
	return diag.New("OP3022", "external data is refused: "+why, "file", path).
		Hinted("put a real copy beside the model (cp -L)")
}

// isLink tells whether any part of a location is a symbolic link.
func (f *folder) isLink(location string) bool {
	path := f.dir
	for part := range strings.SplitSeq(filepath.FromSlash(location), string(filepath.Separator)) {
		path = filepath.Join(path, part)
		if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// statFile and open follow links only inside the folder: os.Root sees to that
// without a moment between the check and the use.
func (f *folder) statFile(name string) (fs.FileInfo, error) {
	if f.opt.followLinks {
		return os.Stat(filepath.Join(f.dir, name))
	}
	if f.root == nil {
		root, err := os.OpenRoot(f.dir)
		if err != nil {
			return nil, err
		}
		f.root = root
	}
	return f.root.Stat(name)
}

func (f *folder) open(location string) (*os.File, error) {
	if _, err := f.stat(location); err != nil {
		return nil, err
	}
	name := filepath.FromSlash(location)
	if f.opt.followLinks {
		return os.Open(filepath.Join(f.dir, name))
	}
	return f.root.Open(name)
}

// overlaps finds two tensors that claim parts of the same bytes. Claiming
// exactly the same range is sharing, which is allowed.
func (f *folder) overlaps() error {
	for _, df := range f.order {
		slices.SortFunc(df.claims, func(a, b claim) int {
			if a.off != b.off {
				return int(min(max(a.off-b.off, -1), 1))
			}
			return int(min(max(a.n-b.n, -1), 1))
		})
		for i := 1; i < len(df.claims); i++ {
			a, b := df.claims[i-1], df.claims[i]
			if a.off+a.n > b.off {
				return diag.New("OP3024", "two tensors claim overlapping parts of an external data file", "file", df.path,
					"first", fmt.Sprintf("%s at %d, %d bytes", a.tensor, a.off, a.n),
					"second", fmt.Sprintf("%s at %d, %d bytes", b.tensor, b.off, b.n)).
					Hinted("the model is damaged or hostile; export it again")
			}
		}
	}
	return nil
}

func (f *folder) close() error {
	var errs []error
	for _, df := range f.order {
		errs = append(errs, df.close())
	}
	if f.root != nil {
		errs = append(errs, f.root.Close())
	}
	return errors.Join(errs...)
}
