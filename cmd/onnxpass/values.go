package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/onnxpass/onnxpass/passes"
)

// enum is a flag that takes one of several words.
type enum struct {
	p       *string
	choices []string
}

func newEnum(p *string, def string, choices ...string) *enum {
	*p = def
	return &enum{p, choices}
}

func (e *enum) String() string { return *e.p }
func (e *enum) Type() string   { return "KIND" }

func (e *enum) Set(s string) error {
	for _, c := range e.choices {
		if c == s {
			*e.p = s
			return nil
		}
	}
	return fmt.Errorf("one of %s", strings.Join(e.choices, ", "))
}

// limit is an optional number with bounds.
type limit struct {
	p        **float64
	min, max float64
	unit     string // shown in help
}

func newLimit(p **float64, lo, hi float64, unit string) *limit { return &limit{p, lo, hi, unit} }

func (l *limit) Type() string { return l.unit }

func (l *limit) String() string {
	if *l.p == nil {
		return ""
	}
	return strconv.FormatFloat(**l.p, 'g', -1, 64)
}

func (l *limit) Set(s string) error {
	f, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || f < l.min || f > l.max {
		if math.IsInf(l.max, 1) {
			return fmt.Errorf("a number not below %g", l.min)
		}
		return fmt.Errorf("a number from %g to %g", l.min, l.max)
	}
	*l.p = &f
	return nil
}

// sizeFlag is an optional number of bytes.
type sizeFlag struct{ p **passes.Size }

func (s *sizeFlag) Type() string { return "SIZE" }

func (s *sizeFlag) String() string {
	if *s.p == nil {
		return ""
	}
	return (*s.p).String()
}

func (s *sizeFlag) Set(text string) error {
	n, err := passes.ParseSize(text)
	if err == nil {
		*s.p = &n
	}
	return err
}

// countFlag is an optional count with a decimal suffix: 300M, 4.1G.
type countFlag struct{ p **int64 }

func (c *countFlag) Type() string { return "N" }

func (c *countFlag) String() string {
	if *c.p == nil {
		return ""
	}
	return strconv.FormatInt(**c.p, 10)
}

func (c *countFlag) Set(text string) error {
	n, err := parseCount(text)
	if err == nil {
		*c.p = &n
	}
	return err
}

func parseCount(text string) (int64, error) {
	fail := errors.New("a count such as 500000, 300M or 4.1G")
	s, unit := strings.TrimSpace(text), 1.0
	for suffix, u := range map[string]float64{"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, u
			break
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*unit > 1e18 {
		return 0, fail
	}
	return int64(math.Round(f * unit)), nil
}
