package sample

import (
	"bytes"
	"fmt"
	"strconv"
)

// literal reads the few Python literals that occur in a header.
type literal struct {
	s   []byte
	err error
}

func (p *literal) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("its header "+format, args...)
	}
}

func (p *literal) space() { p.s = bytes.TrimLeft(p.s, " \t\r\n") }

func (p *literal) peek(c byte) bool {
	p.space()
	return len(p.s) > 0 && p.s[0] == c
}

func (p *literal) accept(c byte) bool {
	if !p.peek(c) {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *literal) expect(c byte) {
	if !p.accept(c) {
		p.fail("lacks %q", c)
	}
}

// str reads a quoted string without escapes.
func (p *literal) str() string {
	p.space()
	if len(p.s) == 0 || p.s[0] != '\'' && p.s[0] != '"' {
		p.fail("lacks a string")
		return ""
	}
	end := bytes.IndexByte(p.s[1:], p.s[0])
	if end < 0 {
		p.fail("has an open string")
		return ""
	}
	s := string(p.s[1 : 1+end])
	p.s = p.s[end+2:]
	return s
}

func (p *literal) boolean() bool {
	p.space()
	for _, word := range []string{"True", "False"} {
		if rest, ok := bytes.CutPrefix(p.s, []byte(word)); ok {
			p.s = rest
			return word == "True"
		}
	}
	p.fail("lacks True or False")
	return false
}

// maxRank is numpy's own limit.
const maxRank = 64

func (p *literal) tuple() []int64 {
	dims := []int64{}
	p.expect('(')
	for p.err == nil && !p.accept(')') {
		dims = append(dims, p.integer())
		if !p.accept(',') && p.err == nil && !p.peek(')') {
			p.fail("has a malformed shape")
		}
		if len(dims) > maxRank {
			p.fail("has more than %d dimensions", maxRank)
		}
	}
	return dims
}

func (p *literal) integer() int64 {
	p.space()
	n := 0
	for n < len(p.s) && p.s[n] >= '0' && p.s[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(string(p.s[:n]), 10, 64)
	if err != nil {
		p.fail("has a malformed shape")
		return 0
	}
	p.s = p.s[n:]
	p.accept('L') // written by Python 2
	return v
}

// swap turns big-endian elements of the given size around in place.
func swap(b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		for i, j := 0, size-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}
