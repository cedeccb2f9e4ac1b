package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// ExternalMode says where weights are written.
type ExternalMode int

// The modes of external data.
const (
	ExternalAuto   ExternalMode = iota // outside when the model would be too large for one message
	ExternalAlways                     // outside
	ExternalNever                      // inside; an error when the model is too large
)

// DefaultExternalThreshold is the model size above which ExternalAuto moves
// weights out, safely below protobuf's limit of 2 GiB: 1.9 GiB.
const DefaultExternalThreshold = 19 << 30 / 10

// SaveOptions is how Save writes. The zero value is the usual way.
type SaveOptions struct {
	External  ExternalMode
	Threshold int64 // bytes; 0 is DefaultExternalThreshold
	Smallest  int64 // content below this many bytes stays inside; 0 is 1024

	// TempDir is where the files are until they are complete, on the file system
	// of the output; "" is a hidden folder beside it.
	TempDir string

	// Unsynced leaves it to the system when the files reach the disk: for files
	// that need not survive a crash of the machine.
	Unsynced bool

	// Check looks at the complete file before it gets its name; an error
	// leaves nothing behind. External data lies beside tmpPath, so that the
	// file can be opened as it is.
	Check func(tmpPath string) error
}

// Write streams m to w with all weights inside. A model beyond 2 GiB is an error.
func Write(w io.Writer, m *Model) error {
	e, err := encode(m, nil, "")
	if err != nil {
		return err
	}
	_, err = e.w.WriteTo(w)
	return err
}

// encode assembles everything but large tensor content.
func encode(m *Model, place map[*Tensor]span, name string) (*encoder, error) {
	e, err := assemble(m, place, name)
	if err == nil {
		err = e.fits()
	}
	return e, err
}

func assemble(m *Model, place map[*Tensor]span, name string) (*encoder, error) {
	e := &encoder{place: place, name: name}
	m.encode(e)
	e.w.Raw(m.unknown)
	return e, e.err
}

// fits refuses what no protobuf reader could take.
func (e *encoder) fits() error {
	if e.w.Len() <= maxMessage {
		return nil
	}
	return diag.New("OP3030", "the model is too large for one file", "size", fmt.Sprintf("%d bytes", e.w.Len()),
		"limit", "2 GiB, a limit of protobuf").Hinted("keep weights in a data file beside the model (--external-data auto)")
}

// Save writes m to path, with weights in path + ".data" where the options say
// so. The file appears complete or not at all: it is written under another
// name in the same folder, checked while it is synced, and renamed, data file
// first. An existing file at path is replaced and lends its permissions. Weights that
// were not touched are copied from file to file and never held in memory.
//
// Saving over an external data file that m reads from is refused, because
// data files are the property of the model that came with them.
func Save(path string, m *Model, o SaveOptions) error {
	s, err := newSaving(path, m, o)
	if err != nil {
		return err
	}
	if o.TempDir == "" {
		o.TempDir = s.dir
	}
	if s.tmp, err = os.MkdirTemp(o.TempDir, "."+s.name+".tmp-*"); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	defer func() { _ = os.RemoveAll(s.tmp) }() // empty by then, or full of what must not stay
	err = s.write()
	if err == nil && o.Check != nil {
		if err := o.Check(filepath.Join(s.tmp, s.name)); err != nil {
			return errors.Join(err, s.synced())
		}
	}
	if err = errors.Join(err, s.synced()); err == nil {
		err = s.publish()
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// saving is one call of Save.
type saving struct {
	dir, name string // of the model file
	tmp       string // folder that holds the files until they are complete
	mode      fs.FileMode
	replaces  bool // there is a file at path
	unsynced  bool
	layout    *layout
	structure *encoder
	syncs     []chan error // one for each file on its way to the disk
}

func (s *saving) dataName() string { return s.name + ".data" }

func newSaving(path string, m *Model, o SaveOptions) (*saving, error) {
	s := &saving{dir: filepath.Dir(path), name: filepath.Base(path), unsynced: o.Unsynced}
	st, err := os.Stat(path)
	switch {
	case err == nil && !st.Mode().IsRegular():
		return nil, diag.New("OP3032", "cannot save there: not a regular file", "file", path)
	case err == nil:
		s.replaces, s.mode = true, st.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("save %s: %w", path, err)
	}
	if err := s.plan(m, o); err != nil {
		return nil, err
	}
	outputs := []string{path}
	if s.layout != nil {
		outputs = append(outputs, filepath.Join(s.dir, s.dataName()))
	}
	return s, m.notInputs(outputs)
}

// plan decides where weights go and assembles the structure accordingly.
func (s *saving) plan(m *Model, o SaveOptions) (err error) {
	if s.structure, err = assemble(m, nil, ""); err != nil {
		return err
	}
	threshold := o.Threshold
	if threshold <= 0 {
		threshold = DefaultExternalThreshold
	}
	outside := o.External == ExternalAlways || o.External == ExternalAuto && s.structure.w.Len() > threshold
	if outside {
		if l := newLayout(m, o.Smallest); len(l.place) > 0 {
			s.layout = l
		}
	}
	if s.layout == nil {
		return s.structure.fits()
	}
	s.structure, err = encode(m, s.layout.place, s.dataName())
	return err
}

// notInputs refuses outputs that are data files the model reads from.
func (m *Model) notInputs(outputs []string) error {
	for _, in := range m.DataFiles() {
		have, err := os.Stat(in)
		if err != nil {
			continue
		}
		for _, out := range outputs {
			if st, err := os.Stat(out); err == nil && os.SameFile(have, st) {
				return diag.New("OP3031", "saving would overwrite the data file of the input", "file", out).
					Hinted("choose another output name; the input's data file is never modified")
			}
		}
	}
	return nil
}

func (s *saving) write() error {
	if s.layout != nil {
		if err := s.writeFile(s.dataName(), s.layout); err != nil {
			return err
		}
	}
	return s.writeFile(s.name, &s.structure.w)
}

func (s *saving) writeFile(name string, content io.WriterTo) error {
	f, err := os.OpenFile(filepath.Join(s.tmp, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	out := newSink(f)
	out.hold = s.unsynced
	_, err = content.WriteTo(out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil && s.replaces {
		err = f.Chmod(s.mode)
	}
	if err != nil || s.unsynced {
		return errors.Join(err, f.Close())
	}
	s.sync(f)
	return nil
}

// sync brings f to the disk and closes it, while others may read what was written.
func (s *saving) sync(f *os.File) {
	done := make(chan error, 1)
	s.syncs = append(s.syncs, done)
	go func() { done <- errors.Join(f.Sync(), f.Close()) }()
}

// synced waits until all files are on the disk.
func (s *saving) synced() error {
	var errs []error
	for _, done := range s.syncs {
		errs = append(errs, <-done)
	}
	s.syncs = nil
	return errors.Join(errs...)
}

// publish gives the files their names. A model that is replaced together with
// its data file is set aside meanwhile, so that at no moment a model stands
// beside the data of another one.
func (s *saving) publish() error {
	model, data := filepath.Join(s.dir, s.name), filepath.Join(s.dir, s.dataName())
	aside := filepath.Join(s.tmp, "replaced")
	if s.layout != nil {
		moved := s.replaces && exists(data)
		if moved {
			if err := os.Rename(model, aside); err != nil {
				return err
			}
		}
		if err := os.Rename(filepath.Join(s.tmp, s.dataName()), data); err != nil {
			if moved {
				err = errors.Join(err, os.Rename(aside, model))
			}
			return err
		}
	}
	if err := os.Rename(filepath.Join(s.tmp, s.name), model); err != nil {
		return err
	}
	if s.unsynced {
		return nil
	}
	return syncFolder(s.dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// sink is a buffered file that large content reaches without the buffer.
type sink struct {
	*bufio.Writer
	f     *os.File
	dirty int64 // bytes since the last request to start writing to disk
	hold  bool  // make no such requests
}

func newSink(f *os.File) *sink { return &sink{Writer: bufio.NewWriterSize(f, copyBuffer), f: f} }

// copyRange appends [off, off+n) of src. It is shorter than n when src is.
func (s *sink) copyRange(src *os.File, off, n int64) (int64, error) {
	if err := s.Flush(); err != nil {
		return 0, err
	}
	done, err := fastCopy(s, src, off, n)
	if err != nil || done == n {
		return done, err
	}
	rest, err := io.CopyBuffer(struct{ io.Writer }{s.f}, io.NewSectionReader(src, off+done, n-done), make([]byte, min(n, copyBuffer)))
	return done + rest, err
}
