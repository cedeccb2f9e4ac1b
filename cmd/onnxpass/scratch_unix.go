//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockName is a file in a scratch folder that its process holds locked as long as it lives.
const lockName = "lock"

// claim locks the folder. The file gets its name when it is locked already, so
// that nobody sees it unlocked.
func claim(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, lockName+".new"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		err = os.Rename(f.Name(), filepath.Join(folder, lockName))
		if err != nil {
			f.Close()
			return nil, err
		}
	} // a file system without locks: the folder is never taken for abandoned
	return f, nil
}

// sweep removes what a killed run left in dir: folders of ours that no process holds.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name(), lockName)
		f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		f.Close()
	}
}
