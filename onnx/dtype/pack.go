package dtype

// Packed types hold the first element in the low bits of a byte. The bits of
// the last byte that no element uses are zero. Unpack functions fill dst and
// stop early when src ends; Pack functions take the low bits of each element
// and need (len(src)+1)/2 bytes for 4-bit, (len(src)+3)/4 for 2-bit elements.

// UnpackUint4 expands 4-bit elements to one byte each.
func UnpackUint4(dst, src []byte) {
	for i := range min(len(dst), 2*len(src)) {
		dst[i] = src[i/2] >> (4 * (i & 1)) & 15
	}
}

// UnpackInt4 expands signed 4-bit elements, sign extended.
func UnpackInt4(dst []int8, src []byte) {
	for i := range min(len(dst), 2*len(src)) {
		dst[i] = int8(src[i/2]>>(4*(i&1))<<4) >> 4
	}
}

// UnpackUint2 expands 2-bit elements to one byte each.
func UnpackUint2(dst, src []byte) {
	for i := range min(len(dst), 4*len(src)) {
		dst[i] = src[i/4] >> (2 * (i & 3)) & 3
	}
}

// UnpackInt2 expands signed 2-bit elements, sign extended.
func UnpackInt2(dst []int8, src []byte) {
	for i := range min(len(dst), 4*len(src)) {
		dst[i] = int8(src[i/4]>>(2*(i&3))<<6) >> 6
	}
}

// UnpackUint6 expands 6-bit codes, four in three bytes, to one byte each.
func UnpackUint6(dst, src []byte) {
	for i := range dst {
		bit := 6 * i
		at := bit / 8
		if at >= len(src) {
			return
		}
		pair := uint16(src[at])
		if at+1 < len(src) {
			pair |= uint16(src[at+1]) << 8
		}
		dst[i] = byte(pair>>(bit&7)) & 63
	}
}

// byteSized is an element that one byte holds.
type byteSized interface{ ~int8 | ~uint8 }

// Pack4 packs the low four bits of every element, two to a byte.
func Pack4[T byteSized](dst []byte, src []T) {
	n := min(len(dst), (len(src)+1)/2)
	for i := range n {
		b := byte(src[2*i]) & 15
		if 2*i+1 < len(src) {
			b |= byte(src[2*i+1]) << 4
		}
		dst[i] = b
	}
}

// Pack2 packs the low two bits of every element, four to a byte.
func Pack2[T byteSized](dst []byte, src []T) {
	n := min(len(dst), (len(src)+3)/4)
	for i := range n {
		var b byte
		for j, v := range src[4*i : min(4*i+4, len(src))] {
			b |= byte(v) & 3 << (2 * j)
		}
		dst[i] = b
	}
}

// Pack6 packs the low six bits of every element, four to three bytes.
// dst needs (6*len(src)+7)/8 bytes and is overwritten.
func Pack6(dst, src []byte) {
	clear(dst)
	for i, v := range src {
		bit := 6 * i
		at := bit / 8
		pair := uint16(v&63) << (bit & 7)
		if at >= len(dst) {
			return
		}
		dst[at] |= byte(pair)
		if at+1 < len(dst) {
			dst[at+1] |= byte(pair >> 8)
		}
	}
}
