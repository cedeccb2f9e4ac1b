package infer

import (
	"slices"
	"strconv"
	"strings"
)

// Symbols made by arithmetic. A size computed from symbolic sizes gets a name that spells
// the computation in a canonical form, so that equal names still mean equal sizes:
//
//	{N+2}   {12*N}   {floor((W+1)/2)}   {H*W}
//
// The text in braces is a sum of products of numbers, plain names and floor(.../number).
// Names of the file that contain operators or braces take no part: results of them are unknown.

const (
	maxTerms    = 6   // of a sum
	maxFactors  = 6   // of a product
	maxNameSize = 120 // bytes of a symbol that takes part in arithmetic
)

// operators are the characters that no plain name contains.
const operatorChars = "{}()+-*/, "

// term is coef times the product of atoms (sorted): plain names and floor(...) texts.
type term struct {
	coef  int64
	atoms []string
}

// poly is a sum of terms with different atoms, ordered by them, without zero terms.
type poly []term

// polyOf reads a size or an element; ok is false for what is unknown or has a name that is not plain.
func polyOf(e Dim) (p poly, ok bool) {
	switch {
	case number(e) && e.Value == 0:
		return nil, true
	case number(e):
		return poly{{coef: e.Value}}, true
	case e.Param == "" || len(e.Param) > maxNameSize:
		return nil, false
	case plain(e.Param):
		return poly{{1, []string{e.Param}}}, true
	case strings.HasPrefix(e.Param, "{") && strings.HasSuffix(e.Param, "}"):
		return parsePoly(e.Param[1 : len(e.Param)-1])
	}
	return nil, false
}

func plain(name string) bool {
	return name != "" && !strings.ContainsAny(name, operatorChars) && (name[0] < '0' || name[0] > '9')
}

// parsePoly reads a sum.
func parsePoly(s string) (poly, bool) {
	var p poly
	for s != "" {
		sign := int64(1)
		switch s[0] {
		case '-':
			sign, s = -1, s[1:]
		case '+':
			s = s[1:]
		}
		end := level(s, "+-")
		t, ok := parseTerm(s[:end])
		if !ok {
			return nil, false
		}
		t.coef *= sign
		if p, ok = p.plus(poly{t}); !ok {
			return nil, false
		}
		s = s[end:]
	}
	return p, true
}

func parseTerm(s string) (term, bool) {
	t := term{coef: 1}
	for {
		end := level(s, "*")
		f := s[:end]
		n, err := strconv.ParseInt(f, 10, 64)
		switch {
		case err == nil && within(n):
			t.coef *= n
		case plain(f) || strings.HasPrefix(f, "floor(") && strings.HasSuffix(f, ")"):
			t.atoms = append(t.atoms, f)
		default:
			return t, false
		}
		if end == len(s) {
			slices.Sort(t.atoms)
			return t, within(t.coef) && len(t.atoms) <= maxFactors
		}
		s = s[end+1:]
	}
}

// level is the index of the first of chars outside parentheses, or the length of s.
func level(s, chars string) int {
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case depth == 0 && strings.IndexByte(chars, s[i]) >= 0:
			return i
		}
	}
	return len(s)
}

// plus adds; ok is false when the sum gets too large to follow.
func (p poly) plus(q poly) (sum poly, ok bool) {
	for len(p) > 0 || len(q) > 0 {
		switch c := compareTerms(p, q); {
		case c < 0:
			sum, p = append(sum, p[0]), p[1:]
		case c > 0:
			sum, q = append(sum, q[0]), q[1:]
		default:
			if t := (term{p[0].coef + q[0].coef, p[0].atoms}); t.coef != 0 {
				sum = append(sum, t)
			}
			p, q = p[1:], q[1:]
		}
	}
	for _, t := range sum {
		if !within(t.coef) {
			return nil, false
		}
	}
	return sum, len(sum) <= maxTerms
}

// compareTerms orders the first terms of two sums; numbers come last.
func compareTerms(p, q poly) int {
	switch {
	case len(p) == 0 || len(q) > 0 && len(p[0].atoms) == 0 && len(q[0].atoms) > 0:
		return 1
	case len(q) == 0 || len(q[0].atoms) == 0 && len(p[0].atoms) > 0:
		return -1
	}
	return slices.Compare(p[0].atoms, q[0].atoms)
}

// times multiplies.
func (p poly) times(q poly) (out poly, ok bool) {
	ok = true
	for _, a := range p {
		for _, b := range q {
			c := mul(Static(a.coef), Static(b.coef))
			t := term{c.Value, slices.Concat(a.atoms, b.atoms)}
			slices.Sort(t.atoms)
			if !number(c) || !within(c.Value) || len(t.atoms) > maxFactors {
				return nil, false
			}
			if out, ok = out.plus(poly{t}); !ok {
				return nil, false
			}
		}
	}
	return out, ok
}

// floorBy is floor(p/d) for d > 0. Multiples of d are taken out, and nested floors joined:
// floor((floor(x/a)+c)/d) = floor((x+a*c)/(a*d)).
func (p poly) floorBy(d int64) (poly, bool) {
	var whole, rest poly
	for _, t := range p {
		if q := floorDiv(t.coef, d); q != 0 {
			whole = append(whole, term{q, t.atoms})
		}
		if r := t.coef - d*floorDiv(t.coef, d); r != 0 {
			rest = append(rest, term{r, t.atoms})
		}
	}
	if len(rest) == 0 || len(rest[0].atoms) == 0 {
		return whole, true
	}
	rest, d = rest.reduced(d)
	if x, a, ok := rest.nested(); ok && within(a*d) {
		inner, ok := x.floorBy(a * d)
		if !ok {
			return nil, false
		}
		return whole.plus(inner)
	}
	text := rest.text()
	if len(rest) > 1 || rest[0].coef != 1 || len(rest[0].atoms) > 1 {
		text = "(" + text + ")"
	}
	return whole.plus(poly{{1, []string{"floor(" + text + "/" + strconv.FormatInt(d, 10) + ")"}}})
}

// reduced cancels what the coefficients of the symbols and the divisor share:
// floor((g*x+c)/(g*d)) = floor((x+floor(c/g))/d).
func (p poly) reduced(d int64) (poly, int64) {
	g := d
	for _, t := range p {
		if len(t.atoms) > 0 {
			g = gcd(g, t.coef)
		}
	}
	if g == 1 {
		return p, d
	}
	var out poly
	for _, t := range p {
		if c := floorDiv(t.coef, g); c != 0 {
			out = append(out, term{c, t.atoms})
		}
	}
	return out, d / g
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// nested takes floor(x/a)+c apart into x+a*c and a.
func (p poly) nested() (x poly, a int64, ok bool) {
	if len(p) > 2 || p[0].coef != 1 || len(p[0].atoms) != 1 || len(p) == 2 && len(p[1].atoms) > 0 {
		return nil, 0, false
	}
	s, found := strings.CutPrefix(p[0].atoms[0], "floor(")
	slash := level(s, "/")
	if !found || slash >= len(s)-1 {
		return nil, 0, false
	}
	a, err := strconv.ParseInt(s[slash+1:len(s)-1], 10, 64)
	if err != nil || a <= 0 || !within(a) {
		return nil, 0, false
	}
	inner := s[:slash]
	if strings.HasPrefix(inner, "(") && strings.HasSuffix(inner, ")") {
		inner = inner[1 : len(inner)-1]
	}
	if x, ok = parsePoly(inner); !ok || len(p) == 1 {
		return x, a, ok
	}
	c := mul(Static(p[1].coef), Static(a))
	if !number(c) || !within(c.Value) {
		return nil, 0, false
	}
	x, ok = x.plus(poly{{coef: c.Value}})
	return x, a, ok
}

// over divides by a single term where that leaves no fraction in any term.
func (p poly) over(t term) (poly, bool) {
	out := make(poly, 0, len(p))
	for _, n := range p {
		atoms := slices.Clone(n.atoms)
		for _, a := range t.atoms {
			i := slices.Index(atoms, a)
			if i < 0 {
				return nil, false
			}
			atoms = slices.Delete(atoms, i, i+1)
		}
		if n.coef%t.coef != 0 {
			return nil, false
		}
		var ok bool
		if out, ok = out.plus(poly{{n.coef / t.coef, atoms}}); !ok {
			return nil, false
		}
	}
	return out, true
}

// positive tells whether no value of the symbols makes the sum negative (sizes never are).
func (p poly) positive() bool {
	for _, t := range p {
		if t.coef < 0 {
			return false
		}
	}
	return true
}

// text spells a sum.
func (p poly) text() string {
	var b strings.Builder
	for i, t := range p {
		if i > 0 && t.coef > 0 {
			b.WriteByte('+')
		}
		factors := t.atoms
		switch {
		case len(t.atoms) == 0:
			b.WriteString(strconv.FormatInt(t.coef, 10))
		case t.coef == -1:
			b.WriteByte('-')
		case t.coef != 1:
			b.WriteString(strconv.FormatInt(t.coef, 10) + "*")
		}
		b.WriteString(strings.Join(factors, "*"))
	}
	return b.String()
}

// element turns a sum back into a number, a name or an expression.
func (p poly) element() Dim {
	switch {
	case len(p) == 0:
		return Static(0)
	case len(p) == 1 && len(p[0].atoms) == 0:
		return Static(p[0].coef)
	case len(p) == 1 && p[0].coef == 1 && len(p[0].atoms) == 1 && plain(p[0].atoms[0]):
		return Symbol(p[0].atoms[0])
	}
	name := "{" + p.text() + "}"
	if len(name) > maxNameSize {
		return Dynamic()
	}
	return Symbol(name)
}

// symbolic applies an operation on sums; the result is unknown where it cannot be followed.
func symbolic(a, b Dim, of func(p, q poly) (poly, bool)) Dim {
	if a.Param == "" && b.Param == "" {
		return Dynamic()
	}
	p, ok := polyOf(a)
	q, ok1 := polyOf(b)
	if !ok || !ok1 {
		return Dynamic()
	}
	r, ok := of(p, q)
	if !ok {
		return Dynamic()
	}
	return r.element()
}

// divDown is floor(a/d) for d > 0.
func divDown(a Dim, d int64) Dim {
	switch {
	case d == 1:
		return a
	case number(a):
		return Static(floorDiv(a.Value, d))
	}
	return symbolic(a, Static(d), func(p, _ poly) (poly, bool) { return p.floorBy(d) })
}

// ratio divides where the caller knows that no remainder stays.
func ratio(a, b Dim) Dim {
	if number(a) && number(b) && b.Value > 0 {
		return Static(a.Value / b.Value)
	}
	return symbolic(a, b, func(p, q poly) (poly, bool) {
		switch {
		case len(q) != 1:
			return nil, false
		case len(q[0].atoms) == 0 && q[0].coef > 0:
			return p.floorBy(q[0].coef)
		}
		return p.over(q[0])
	})
}
