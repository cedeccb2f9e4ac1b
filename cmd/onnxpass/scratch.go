package main

import (
	"os"
	"sync"
)

// scratchFolders are temporary folders beside the outputs. They are removed
// when the command ends, in whatever way it can notice.
type scratchFolders struct {
	mu     sync.Mutex
	dirs   map[string]*os.File // the lock that says that the folder is in use; may be nil
	closed bool
}

const scratchPrefix = ".onnxpass-"

// scratch is shared with the signal handler, which cannot reach the stack.
var scratch = scratchFolders{dirs: map[string]*os.File{}}

// make creates a hidden folder in dir, so that a rename from it into dir is
// atomic. What killed runs left there goes.
func (s *scratchFolders) make(dir string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", os.ErrClosed
	}
	sweep(dir)
	path, err := os.MkdirTemp(dir, scratchPrefix+"*")
	if err != nil {
		return "", err
	}
	lock, err := claim(path)
	if err != nil {
		os.RemoveAll(path)
		return "", err
	}
	s.dirs[path] = lock
	return path, nil
}

// remove deletes one folder with what is in it.
func (s *scratchFolders) remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ours := s.dirs[path]; ours {
		s.drop(path)
	}
}

func (s *scratchFolders) drop(path string) {
	os.RemoveAll(path)
	s.dirs[path].Close() // of nothing, where there are no locks, it does nothing
	delete(s.dirs, path)
}

// removeAll deletes all folders.
func (s *scratchFolders) removeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.dirs {
		s.drop(path)
	}
}

// close deletes all folders for good: none can be made afterwards.
func (s *scratchFolders) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.removeAll()
}
