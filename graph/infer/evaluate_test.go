package infer

import (
	"strconv"
	"strings"
)

// Evaluate computes a symbol for given sizes of the names in it, independently of how
// symbols are made; ok is false for a name without a size.
func Evaluate(name string, sizes map[string]int64) (n int64, ok bool) {
	if n, ok := sizes[name]; ok {
		return n, true
	}
	if !strings.HasPrefix(name, "{") {
		return 0, false
	}
	e := evaluator{rest: name[1 : len(name)-1], sizes: sizes, ok: true}
	n = e.sum()
	return n, e.ok && e.rest == ""
}

type evaluator struct {
	rest  string
	sizes map[string]int64
	ok    bool
}

func (e *evaluator) accept(s string) bool {
	found := strings.HasPrefix(e.rest, s)
	if found {
		e.rest = e.rest[len(s):]
	}
	return found
}

func (e *evaluator) sum() int64 {
	n := int64(0)
	if e.accept("-") {
		n -= e.product()
	} else {
		n = e.product()
	}
	for {
		switch {
		case e.accept("+"):
			n += e.product()
		case e.accept("-"):
			n -= e.product()
		default:
			return n
		}
	}
}

func (e *evaluator) product() int64 {
	n := e.factor()
	for e.accept("*") {
		n *= e.factor()
	}
	return n
}

func (e *evaluator) factor() int64 {
	switch {
	case e.accept("floor("):
		n := e.sum()
		e.ok = e.accept("/") && e.ok
		d := e.factor()
		e.ok = e.accept(")") && e.ok && d > 0
		if !e.ok {
			return 0
		}
		return floorDiv(n, d)
	case e.accept("("):
		n := e.sum()
		e.ok = e.accept(")") && e.ok
		return n
	}
	end := strings.IndexAny(e.rest+")", operatorChars)
	word := e.rest[:end]
	e.rest = e.rest[end:]
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n
	}
	n, ok := e.sizes[word]
	e.ok = e.ok && ok
	return n
}
