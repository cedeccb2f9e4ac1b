package runtimelib

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// unpack writes one member of a wheel or npm archive to target, which appears
// complete or not at all.
func unpack(archive, member, target string) error {
	r, err := openMember(archive, member)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.CreateTemp(filepath.Dir(target), ".unpack-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o755); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), target)
}

func openMember(archive, member string) (io.ReadCloser, error) {
	if strings.HasSuffix(archive, ".tgz") {
		return openTarMember(archive, member)
	}
	z, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	f, err := z.Open(member)
	if err != nil {
		z.Close()
		return nil, err
	}
	return closing{f, []io.Closer{f, z}}, nil
}

func openTarMember(archive, member string) (io.ReadCloser, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s is not in the archive: %w", member, err)
		}
		if h.Name == member && h.Typeflag == tar.TypeReg {
			return closing{t, []io.Closer{f}}, nil
		}
	}
}

// closing closes everything that a member is read through.
type closing struct {
	io.Reader
	files []io.Closer
}

// Close closes the files, innermost first.
func (c closing) Close() error {
	var first error
	for _, f := range c.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
