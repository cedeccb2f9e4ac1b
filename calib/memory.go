package calib

import "unsafe"

// Aligned returns the array's memory for a runtime to read: its own, or a copy
// when elements do not start at a multiple of their size (at most 8 bytes).
// It is never nil.
func (a Array) Aligned() *byte {
	if len(a.Bytes) == 0 {
		return new(byte)
	}
	size := uintptr(min(max(a.Type.Bits()/8, 1), 8))
	if uintptr(unsafe.Pointer(&a.Bytes[0]))%size == 0 {
		return &a.Bytes[0]
	}
	words := make([]uint64, (len(a.Bytes)+7)/8)
	data := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(a.Bytes))
	copy(data, a.Bytes)
	return &data[0]
}
