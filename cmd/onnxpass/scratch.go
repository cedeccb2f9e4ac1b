package main

import (
	"os"
	"sync"
)

// scratchFolders are temporary folders beside the outputs. They are removed
// when the command ends, in whatever way it can notice.
type scratchFolders struct {
	mu     sync.Mutex
	dirs   map[string]bool
	closed bool
}

// scratch is shared with the signal handler, which cannot reach the stack.
var scratch = scratchFolders{dirs: map[string]bool{}}

// make creates a hidden folder in dir, so that a rename from it into dir is atomic.
func (s *scratchFolders) make(dir string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", os.ErrClosed
	}
	path, err := os.MkdirTemp(dir, ".onnxpass-*")
	if err == nil {
		s.dirs[path] = true
	}
	return path, err
}

// remove deletes one folder with what is in it.
func (s *scratchFolders) remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirs[path] {
		os.RemoveAll(path)
		delete(s.dirs, path)
	}
}

// removeAll deletes all folders.
func (s *scratchFolders) removeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.dirs {
		os.RemoveAll(path)
		delete(s.dirs, path)
	}
}

// close deletes all folders for good: none can be made afterwards.
func (s *scratchFolders) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.removeAll()
}
