package calib

import (
	"slices"
	"sync"
)

// spare keeps the memory of arrays that are no longer held for those to come,
// which are mostly of the same sizes; without it half of the memory of a walk is garbage.
type spare struct {
	mu   sync.Mutex
	own  map[*byte]bool // memory that was allocated here
	free map[int][][]byte
}

func newSpare() *spare { return &spare{own: map[*byte]bool{}, free: map[int][][]byte{}} }

// copy is an array with bytes of its own.
func (s *spare) copy(a Array) Array {
	if s == nil || len(a.Bytes) == 0 {
		return a.Copy()
	}
	b := s.take(len(a.Bytes))
	copy(b, a.Bytes)
	return Array{a.Type, slices.Clone(a.Shape), b}
}

func (s *spare) take(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list := s.free[n]; len(list) > 0 {
		s.free[n] = list[:len(list)-1]
		return list[len(list)-1]
	}
	s.drop() // sizes shrink along a network: what does not fit now will not later
	b := make([]byte, n)
	s.own[&b[0]] = true
	return b
}

// drop gives the spare memory away.
func (s *spare) drop() {
	for _, list := range s.free {
		for _, b := range list {
			delete(s.own, &b[0])
		}
	}
	clear(s.free)
}

// release takes back the memory of an array, if it came from here.
func (s *spare) release(a Array) {
	if s == nil || len(a.Bytes) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own[&a.Bytes[0]] {
		s.free[len(a.Bytes)] = append(s.free[len(a.Bytes)], a.Bytes)
	}
}
