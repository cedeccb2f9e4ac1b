package sample

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/onnxpass/onnxpass/calib"
)

// maxMembers bounds the arrays of one archive.
const maxMembers = 1 << 12

// npzBlobs are the arrays of an .npz archive, by member name without ".npy".
func npzBlobs(path, name string) (map[string]*blob, []string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	z, err := zip.NewReader(f, st.Size())
	if err != nil {
		return nil, nil, damaged(name, err)
	}
	if len(z.File) > maxMembers {
		return nil, nil, damaged(name, fmt.Errorf("it has %d members, more than %d", len(z.File), maxMembers))
	}
	blobs, names := map[string]*blob{}, []string{}
	for i, m := range z.File {
		key, ok := strings.CutSuffix(m.Name, ".npy")
		if !ok {
			continue
		}
		b, err := memberBlob(m, i, path, name+":"+key)
		if err != nil {
			return nil, nil, err
		}
		if blobs[key] != nil {
			return nil, nil, damaged(name, fmt.Errorf("it has two members %q", m.Name))
		}
		blobs[key] = b
		names = append(names, key)
	}
	if len(names) == 0 {
		return nil, nil, damaged(name, errors.New("it has no .npy member"))
	}
	return blobs, names, nil
}

// memberBlob reads the header of one member. What the member expands to is
// decided by its header, never by the archive: a bomb is not unpacked.
func memberBlob(m *zip.File, index int, path, name string) (*blob, error) {
	r, err := m.Open()
	if err != nil {
		return nil, damaged(name, err)
	}
	defer r.Close()
	h, err := readNpyHeader(r)
	if err != nil {
		return nil, damaged(name, err)
	}
	if m.UncompressedSize64 != uint64(h.start+h.size) {
		return nil, damaged(name, fmt.Errorf("the archive promises %d bytes, the array's header %d", m.UncompressedSize64, h.start+h.size))
	}
	b := &blob{name: name, file: path, typ: h.typ, dims: h.dims}
	if m.Method == zip.Store {
		start, err := m.DataOffset()
		if err != nil {
			return nil, damaged(name, err)
		}
		b.read = func(off, n int64) ([]byte, error) { return readRange(path, name, start+h.start+off, n) }
	} else {
		s := &stream{path: path, name: name, index: index, start: h.start}
		b.read = s.read
	}
	b.arrange(h)
	return b, nil
}

// stream reads a compressed member. Reading on from where the last read ended
// costs nothing extra; going back starts over.
type stream struct {
	path, name string
	index      int
	start      int64 // bytes before the elements

	mu   sync.Mutex
	file *os.File
	r    io.ReadCloser
	at   int64 // offset in the elements
}

func (s *stream) read(off, n int64) ([]byte, error) {
	if n > maxSample {
		return nil, tooLarge(s.name, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r == nil || off < s.at {
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	b, err := s.advance(off, n)
	if err != nil {
		s.close()
		return nil, damaged(s.name, err)
	}
	return b, nil
}

func (s *stream) advance(off, n int64) ([]byte, error) {
	if _, err := io.CopyN(io.Discard, s.r, off-s.at); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, err
	}
	s.at = off + n
	// The last read closes the file: sets of many archives keep none open.
	if _, err := s.r.Read(make([]byte, 0)); err == io.EOF {
		s.close()
	}
	return b, nil
}

func (s *stream) open() error {
	s.close()
	f, err := os.Open(s.path)
	if err != nil {
		return unreadable(s.name, err)
	}
	st, err := f.Stat()
	if err == nil {
		s.file, s.at = f, -s.start
		s.r, err = openMember(f, st.Size(), s.index)
	}
	if err != nil {
		s.close()
		return damaged(s.name, err)
	}
	return nil
}

func openMember(f *os.File, size int64, index int) (io.ReadCloser, error) {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, err
	}
	if index >= len(z.File) {
		return nil, errors.New("it changed while it was read")
	}
	return z.File[index].Open()
}

func (s *stream) close() {
	if s.r != nil {
		s.r.Close()
	}
	if s.file != nil {
		s.file.Close()
	}
	s.r, s.file = nil, nil
}

// byInput pairs arrays with inputs: by name, or, when no name fits and the
// numbers agree, in order (numpy calls unnamed arrays arr_0, arr_1, ...).
func byInput(blobs map[string]*blob, names []string, ports []calib.Port) (map[string]*blob, string) {
	paired := map[string]*blob{}
	for _, p := range ports {
		if b := blobs[p.Name]; b != nil {
			paired[p.Name] = b
		}
	}
	if len(paired) > 0 || len(names) != len(ports) {
		return paired, ""
	}
	for i, p := range ports {
		paired[p.Name] = blobs[names[i]]
	}
	return paired, "arrays " + strings.Join(names, ", ") + " taken for the inputs in order"
}
