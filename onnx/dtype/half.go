package dtype

import (
	"encoding/binary"
	"math"
)

// F16ToF32 is the value of an IEEE 754 half. It is exact; a NaN keeps its payload.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	mag := uint32(h & 0x7fff)
	switch {
	case mag >= 0x7c00: // infinity, NaN
		return math.Float32frombits(sign | 0x7f800000 | (mag&0x3ff)<<13)
	case mag >= 0x0400: // normal: shift into place and move the bias from 15 to 127
		return math.Float32frombits(sign | (mag<<13 + 112<<23))
	}
	// Subnormal: mag counts units of 2^-24.
	v := float32(mag) * (1.0 / (1 << 24))
	return math.Float32frombits(sign | math.Float32bits(v))
}

// F16FromF32 rounds to the nearest half; what is too large becomes infinity.
func F16FromF32(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	mag := bits &^ (1 << 31)
	switch {
	case mag > 0x7f800000:
		return sign | 0x7e00 | uint16(mag>>13&0x3ff)
	case mag >= 0x477ff000: // 65520, half way above the largest half
		return sign | 0x7c00
	case mag >= 0x38800000: // 2^-14, smallest normal
		r := mag - 112<<23
		return sign | uint16((r+0xfff+r>>13&1)>>13)
	}
	// Subnormal: the sum with 2^-1 has its last bit at 2^-24, so that the
	// processor's own rounding is the rounding wanted.
	v := math.Float32frombits(mag) + 0.5
	return sign | uint16(math.Float32bits(v)-0x3f000000)
}

// BF16ToF32 is the value of a bfloat16, the upper half of a float32.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// BF16FromF32 rounds to the nearest bfloat16; what is too large becomes infinity.
func BF16FromF32(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40 // stay NaN when the payload is cut off
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// DecodeF16 converts little-endian halves.
func DecodeF16(dst []float32, src []byte) {
	for i := range min(len(dst), len(src)/2) {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// EncodeF16 converts to little-endian halves.
func EncodeF16(dst []byte, src []float32) {
	for i := range min(len(dst)/2, len(src)) {
		binary.LittleEndian.PutUint16(dst[2*i:], F16FromF32(src[i]))
	}
}

// DecodeBF16 converts little-endian bfloat16 values.
func DecodeBF16(dst []float32, src []byte) {
	for i := range min(len(dst), len(src)/2) {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// EncodeBF16 converts to little-endian bfloat16 values.
func EncodeBF16(dst []byte, src []float32) {
	for i := range min(len(dst)/2, len(src)) {
		binary.LittleEndian.PutUint16(dst[2*i:], BF16FromF32(src[i]))
	}
}
