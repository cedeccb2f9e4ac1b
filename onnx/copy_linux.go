package onnx

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is how much is copied between two requests to start writing to disk,
// so that the final sync finds most of the work done.
const chunk = 32 << 20

// fastCopy lets the kernel copy from file to file. It returns early, without
// error, where the file systems cannot do that.
func fastCopy(s *sink, src *os.File, off, n int64) (done int64, err error) {
	for done < n {
		at := off + done
		k, err := unix.CopyFileRange(int(src.Fd()), &at, int(s.f.Fd()), nil, int(min(n-done, chunk)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil && done == 0 && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EIO):
			return 0, nil
		case err != nil:
			return done, os.NewSyscallError("copy_file_range", err)
		case k == 0:
			return done, nil
		}
		done += int64(k)
		s.writeback(int64(k))
	}
	return done, nil
}

// writeback starts writing to disk without waiting for it.
func (s *sink) writeback(n int64) {
	if s.dirty += n; s.dirty >= chunk && !s.hold {
		s.dirty = 0
		// Only a hint: the sync at the end reports errors.
		_ = unix.SyncFileRange(int(s.f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}
}
