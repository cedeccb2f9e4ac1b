package dtype

import (
	"bytes"
	"slices"
	"testing"
)

// TestPackLayout pins the layout of onnx.proto: first element in the low bits.
func TestPackLayout(t *testing.T) {
	four := make([]byte, 2)
	Pack4(four, []uint8{1, 2, 15})
	if !bytes.Equal(four, []byte{0x21, 0x0f}) {
		t.Errorf("4-bit: % x", four)
	}
	two := make([]byte, 2)
	Pack2(two, []int8{0, 1, -2, -1, 1})
	if !bytes.Equal(two, []byte{0b11_10_01_00, 0b01}) {
		t.Errorf("2-bit: % x", two)
	}
	six := make([]byte, 3)
	Pack6(six, []byte{1, 2, 3, 4})
	// Bits 0-5, 6-11, 12-17, 18-23 of one little-endian number.
	if want := uint32(1 | 2<<6 | 3<<12 | 4<<18); uint32(six[0])|uint32(six[1])<<8|uint32(six[2])<<16 != want {
		t.Errorf("6-bit: % x", six)
	}
}

// TestPackReturns packs every value at every position of odd and even lengths.
func TestPackReturns(t *testing.T) {
	for n := range 19 {
		u4, i4 := make([]uint8, n), make([]int8, n)
		u2, i2, u6 := make([]uint8, n), make([]int8, n), make([]uint8, n)
		for shift := range 64 {
			for i := range n {
				v := (i*5 + shift) % 64
				u4[i], i4[i] = uint8(v%16), int8(v%16-8)
				u2[i], i2[i], u6[i] = uint8(v%4), int8(v%4-2), uint8(v)
			}
			p4, p2, p6 := make([]byte, (n+1)/2), make([]byte, (n+3)/4), make([]byte, (6*n+7)/8)
			gotU, gotI := make([]uint8, n), make([]int8, n)
			Pack4(p4, u4)
			if UnpackUint4(gotU, p4); !slices.Equal(gotU, u4) {
				t.Fatalf("uint4: %v became %v", u4, gotU)
			}
			Pack4(p4, i4)
			if UnpackInt4(gotI, p4); !slices.Equal(gotI, i4) {
				t.Fatalf("int4: %v became %v", i4, gotI)
			}
			Pack2(p2, u2)
			if UnpackUint2(gotU, p2); !slices.Equal(gotU, u2) {
				t.Fatalf("uint2: %v became %v", u2, gotU)
			}
			Pack2(p2, i2)
			if UnpackInt2(gotI, p2); !slices.Equal(gotI, i2) {
				t.Fatalf("int2: %v became %v", i2, gotI)
			}
			Pack6(p6, u6)
			if UnpackUint6(gotU, p6); !slices.Equal(gotU, u6) {
				t.Fatalf("uint6: %v became %v", u6, gotU)
			}
		}
	}
}

// TestPackedFloats decodes every code at every position of its group.
func TestPackedFloats(t *testing.T) {
	for n := range 13 {
		codes := make([]byte, n)
		for shift := range 64 {
			for i := range codes {
				codes[i] = byte((i*11 + shift) % 64)
			}
			packed, got := make([]byte, (6*n+7)/8), make([]float32, n)
			Pack6(packed, codes)
			DecodeE2M3(got, packed)
			for i, c := range codes {
				if got[i] != E2M3ToF32(c) {
					t.Fatalf("e2m3 element %d of %d: %v", i, n, got)
				}
			}
			DecodeE3M2(got, packed)
			for i, c := range codes {
				if got[i] != E3M2ToF32(c) {
					t.Fatalf("e3m2 element %d of %d: %v", i, n, got)
				}
				codes[i] = c & 15
			}
			Pack4(packed, codes)
			DecodeE2M1(got, packed)
			for i, c := range codes {
				if got[i] != E2M1ToF32(c) {
					t.Fatalf("e2m1 element %d of %d: %v", i, n, got)
				}
			}
		}
	}
}
