package dtype

import "math"

// specials is how a format spends its codes on infinity and NaN.
type specials uint8

const (
	ieee     specials = iota // exponent of all ones: infinity and NaN
	nanOnly                  // exponent and mantissa of all ones: NaN; no infinity ("FN")
	nanMinus                 // the code of minus zero: NaN; no infinity, no minus zero ("FNUZ")
	finite                   // every code is a number
)

// format is a binary floating-point format with a sign bit.
type format struct {
	exp, man int
	bias     int
	specials specials
}

var (
	half     = format{5, 10, 15, ieee}
	e4m3fn   = format{4, 3, 7, nanOnly}
	e4m3fnuz = format{4, 3, 8, nanMinus}
	e5m2     = format{5, 2, 15, ieee}
	e5m2fnuz = format{5, 2, 16, nanMinus}
	e2m1     = format{2, 1, 1, finite}
	e2m3     = format{2, 3, 1, finite}
	e3m2     = format{3, 2, 3, finite}
)

func (f format) signBit() uint32 { return 1 << (f.exp + f.man) }

// largest is the code of the largest finite value.
func (f format) largest() uint32 {
	switch f.specials {
	case ieee:
		return (1<<f.exp-1)<<f.man - 1
	case nanOnly:
		return f.signBit() - 2
	default:
		return f.signBit() - 1
	}
}

// overflow is the code of what does not fit, without sign.
func (f format) overflow(saturate bool) uint32 {
	switch {
	case saturate || f.specials == finite:
		return f.largest()
	case f.specials == ieee:
		return f.largest() + 1
	default:
		return f.nan()
	}
}

// nan is the code of NaN; formats without one give their largest value.
func (f format) nan() uint32 {
	switch f.specials {
	case ieee:
		return f.largest() + 1 + 1<<(f.man-1)
	case nanOnly:
		return f.signBit() - 1
	case nanMinus:
		return f.signBit()
	default:
		return f.largest()
	}
}

// encode rounds x to the nearest value of the format, ties to even. What is
// larger than the largest value becomes that value when saturate is set, and
// otherwise infinity, or NaN in formats without infinity.
func (f format) encode(x float32, saturate bool) uint32 {
	bits := math.Float32bits(x)
	sign := bits >> 31 << (f.exp + f.man)
	mag := bits &^ (1 << 31)
	switch {
	case mag > 0x7f800000 && f.specials == nanMinus:
		return f.nan()
	case mag > 0x7f800000:
		return sign | f.nan()
	case mag == 0x7f800000:
		return f.signed(sign, f.overflow(saturate))
	}
	code := f.round(mag)
	if code > f.largest() {
		code = f.overflow(saturate)
	}
	return f.signed(sign, code)
}

// signed joins sign and code; formats without minus zero drop the sign of zero.
func (f format) signed(sign, code uint32) uint32 {
	if f.specials == nanMinus && (code == 0 || code == f.nan()) {
		return code
	}
	return sign | code
}

// round gives the code nearest to the finite float32 with bits mag, as if the
// format's exponent had no upper end. Codes grow with the value, so a carry
// out of the mantissa lands on the next exponent by itself.
func (f format) round(mag uint32) uint32 {
	e := int(mag >> 23)
	m := mag & (1<<23 - 1)
	if e == 0 {
		e = 1 // subnormal: same exponent as the smallest normal, no hidden bit
	} else {
		m |= 1 << 23
	}
	scale := max(e-127+f.bias, 1) // exponent field of the result, 1 for subnormals too
	shift := 23 - f.man + scale - (e - 127 + f.bias)
	if shift > 25 {
		return 0
	}
	q := m >> shift
	rest, tie := m&(1<<shift-1), uint32(1)<<(shift-1)
	if rest > tie || rest == tie && q&1 == 1 {
		q++
	}
	return uint32(scale-1)<<f.man + q
}

// decode is the value of a code. It is exact for formats up to 16 bits.
func (f format) decode(code uint32) float32 {
	mag := code & (f.signBit() - 1)
	sign := float32(1)
	if code&f.signBit() != 0 {
		sign = -1
	}
	switch {
	case f.specials == nanMinus && code == f.nan():
		return float32(math.NaN())
	case mag > f.largest() && f.specials == ieee && mag == f.largest()+1:
		return float32(math.Inf(int(sign)))
	case mag > f.largest():
		return float32(math.NaN())
	}
	e, m := int(mag>>f.man), int(mag&(1<<f.man-1))
	if e == 0 {
		e = 1
	} else {
		m |= 1 << f.man
	}
	return float32(math.Copysign(math.Ldexp(float64(m), e-f.bias-f.man), float64(sign)))
}
