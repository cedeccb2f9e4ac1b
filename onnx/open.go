package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/internal/wire"
)

// maxMessage is the largest protobuf message: its length must fit an int32.
const maxMessage = 1<<31 - 1

// Option changes how a model is opened.
type Option func(*options)

type options struct {
	dir          string
	followLinks  bool
	allowMissing bool
}

// FollowLinks lets external data be symbolic links that leave the folder of
// the model, and hard links. For folders that the caller trusts, such as a
// download cache made of links.
func FollowLinks() Option { return func(o *options) { o.followLinks = true } }

// AllowMissingData opens a model whose external data files are absent; reading
// a tensor from one is then the error.
func AllowMissingData() Option { return func(o *options) { o.allowMissing = true } }

// DataFolder tells Decode where external data lies.
func DataFolder(dir string) Option { return func(o *options) { o.dir = dir } }

// source is what a model was read from.
type source struct {
	main   *file
	folder *folder
}

// Open reads the structure of the model file at path. Weights stay in the
// file, which is mapped into memory: the cost does not depend on their size.
// The model must be closed; tensors, and slices of their bytes, are valid
// until then. Strings and attribute values are copies and stay valid.
//
// Errors are *diag.Error with codes OP30xx.
func Open(path string, opts ...Option) (*Model, error) {
	o := apply(opts)
	if o.dir == "" {
		o.dir = filepath.Dir(path)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	m, err := decodeFile(f, o)
	if err != nil {
		return nil, errors.Join(located(err, path), f.close())
	}
	return m, nil
}

func apply(opts []Option) (o options) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// openFile opens a model file and refuses what cannot be one before mapping it.
func openFile(path string) (*file, error) {
	// Asked before opening: opening a named pipe would wait for a writer.
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		return nil, notRegular(path, st.Mode())
	}
	var h *os.File
	if err == nil {
		h, err = os.Open(path)
	}
	if err != nil {
		return nil, cannotOpen(path, err)
	}
	if st, err = h.Stat(); err != nil {
		return nil, errors.Join(cannotOpen(path, err), h.Close())
	}
	return &file{path: path, size: st.Size(), f: h}, nil
}

func cannotOpen(path string, err error) error {
	e := diag.New("OP3001", "cannot open the model", "file", path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e.With("found", "no such file").Hinted("check the path")
	case errors.Is(err, fs.ErrPermission):
		return e.With("found", "no permission to read it")
	}
	return e.Wrap(err)
}

func notRegular(path string, mode fs.FileMode) error {
	e := diag.New("OP3001", "cannot open the model", "file", path)
	if mode.IsDir() {
		return e.With("found", "a folder").Hinted("name the .onnx file inside it")
	}
	return e.With("found", "not a regular file").Hinted("copy the content to a file first")
}

func decodeFile(f *file, o options) (*Model, error) {
	b, err := f.load()
	if err != nil {
		return nil, located(err, f.path)
	}
	src := &source{main: f, folder: newFolder(o.dir, o)}
	d := newDecoder(b)
	d.file, d.ext = f, src.folder
	m := &Model{src: src}
	err = guarded(func() error { return d.model(m) })
	if errors.Is(err, errFault) {
		err = f.changed(-1)
	}
	if err != nil {
		return nil, errors.Join(err, src.folder.close())
	}
	return m, nil
}

// Decode reads a model from memory. Tensors are windows of b, which must not
// change while the model is in use. A model with external data needs the
// option DataFolder.
func Decode(b []byte, opts ...Option) (*Model, error) {
	o := apply(opts)
	d := newDecoder(b)
	m := &Model{}
	if o.dir != "" {
		d.ext = newFolder(o.dir, o)
		m.src = &source{folder: d.ext}
	}
	if err := d.model(m); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// DecodeTensor reads a single TensorProto, as in input_0.pb of an ONNX test
// data set. Its content is a window of b; external data is refused.
func DecodeTensor(b []byte) (*Tensor, error) {
	d := newDecoder(b)
	t := &Tensor{}
	d.read(t, 0, len(b))
	if d.err != nil {
		return nil, d.err
	}
	return t, nil
}

// Close releases the files behind the model; it does nothing for a model built in memory.
// Tensors of the model cannot be read any more, and slices of their bytes must not be touched.
func (m *Model) Close() error {
	if m.src == nil {
		return nil
	}
	var errs []error
	if m.src.folder != nil {
		errs = append(errs, m.src.folder.close())
	}
	if m.src.main != nil {
		errs = append(errs, m.src.main.close())
	}
	return errors.Join(errs...)
}

// DataFiles lists the external data files that the model was opened with, in
// the order in which tensors name them.
func (m *Model) DataFiles() []string {
	var paths []string
	if m.src != nil && m.src.folder != nil {
		for _, df := range m.src.folder.order {
			paths = append(paths, df.path)
		}
	}
	return paths
}

// model decodes a whole file.
func (d *decoder) model(m *Model) error {
	if err := sniff(d.b); err != nil {
		return err
	}
	d.read(m, 0, len(d.b))
	if d.err != nil {
		return explain(d.err, d.b)
	}
	if d.ext != nil {
		if err := d.ext.overlaps(); err != nil {
			return err
		}
	}
	return m.complete(d.b)
}

// complete checks what every reader needs before anything else makes sense.
func (m *Model) complete(b []byte) error {
	other := guess(b)
	switch {
	case m.Graph == nil && (len(m.OpsetImport) == 0 || other != ""):
		return notONNX(other)
	case m.IRVersion < 3:
		return diag.New("OP3006", "the model is from before ONNX 1.0", "found", fmt.Sprintf("IR version %d", m.IRVersion),
			"wanted", "IR version 3 or newer").
			Hinted("such files name no operator versions, so their meaning is not defined; export the model again with a current exporter")
	case len(m.OpsetImport) == 0:
		return diag.New("OP3007", "the model imports no operator set", "found", fmt.Sprintf("IR version %d without opset_import", m.IRVersion)).
			Hinted("without operator versions the meaning of its nodes is not defined; export the model again")
	case m.Graph == nil:
		return diag.New("OP3012", "the model has no graph").Hinted("the file holds only functions or metadata; export the model again")
	}
	return nil
}

// explain turns a syntax error into what it most likely means.
func explain(err error, b []byte) error {
	var s *wire.SyntaxError
	if !errors.As(err, &s) {
		return err
	}
	if other := guess(b); other != "" {
		return notONNX(other)
	}
	place := fmt.Sprintf("byte %d of %d", s.Offset, len(b))
	if errors.Is(err, io.ErrUnexpectedEOF) && looksONNX(b) {
		e := diag.New("OP3002", "the model file is cut short", "place", place)
		if s.Need > 0 {
			e = e.With("missing", fmt.Sprintf("%d bytes", s.Need))
		}
		return e.Hinted("download or copy the file again and compare its size or checksum")
	}
	if looksONNX(b) {
		return diag.New("OP3003", "the model file is damaged", "place", place).Wrap(s.Err).
			Hinted("download or copy the file again, in binary mode")
	}
	return notONNX("")
}

// located adds the file to an error that does not name it yet.
func located(err error, path string) error {
	var e *diag.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, f := range e.Fields {
		if f.Label == "model" || f.Label == "file" && f.Text == path {
			return e
		}
	}
	label := "file"
	for _, f := range e.Fields {
		if f.Label == "file" {
			label = "model"
		}
	}
	e.Fields = append([]diag.Field{{Label: label, Text: path}}, e.Fields...)
	return e
}
