//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What a killed run left goes; what a living one holds, and folders of others, stay.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dead, alive, foreign := folder(".onnxpass-1"), folder(".onnxpass-2"), folder(".onnxpass-3")
	lock, err := claim(dead)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close() // as when the process ends
	held, err := claim(alive)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s := scratchFolders{dirs: map[string]*os.File{}}
	mine, err := s.make(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{dead: false, alive: true, foreign: true, mine: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
	s.removeAll()
	if _, err := os.Stat(mine); err == nil {
		t.Error("the folder is there after removeAll")
	}
}
