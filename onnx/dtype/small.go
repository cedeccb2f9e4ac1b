package dtype

import "math"

// table holds the values of all codes of a format.
func (f format) table() (t [256]float32) {
	for code := range t {
		t[code] = f.decode(uint32(code) & (f.signBit()<<1 - 1))
	}
	return t
}

// Tables of values by code; written once here and only read after.
var (
	valuesE4M3FN   = e4m3fn.table()
	valuesE4M3FNUZ = e4m3fnuz.table()
	valuesE5M2     = e5m2.table()
	valuesE5M2FNUZ = e5m2fnuz.table()
	valuesE2M1     = e2m1.table()
	valuesE2M3     = e2m3.table()
	valuesE3M2     = e3m2.table()
)

// E4M3FNToF32 is the value of a float8e4m3fn code.
func E4M3FNToF32(c uint8) float32 { return valuesE4M3FN[c] }

// E4M3FNUZToF32 is the value of a float8e4m3fnuz code.
func E4M3FNUZToF32(c uint8) float32 { return valuesE4M3FNUZ[c] }

// E5M2ToF32 is the value of a float8e5m2 code.
func E5M2ToF32(c uint8) float32 { return valuesE5M2[c] }

// E5M2FNUZToF32 is the value of a float8e5m2fnuz code.
func E5M2FNUZToF32(c uint8) float32 { return valuesE5M2FNUZ[c] }

// E2M1ToF32 is the value of a float4e2m1 code in the low four bits.
func E2M1ToF32(c uint8) float32 { return valuesE2M1[c] }

// E2M3ToF32 is the value of a float6e2m3 code in the low six bits.
func E2M3ToF32(c uint8) float32 { return valuesE2M3[c] }

// E3M2ToF32 is the value of a float6e3m2 code in the low six bits.
func E3M2ToF32(c uint8) float32 { return valuesE3M2[c] }

// E8M0ToF32 is the value of a float8e8m0 code, a power of two without sign:
// 2^(c-127), and NaN for 255.
func E8M0ToF32(c uint8) float32 {
	if c == 255 {
		return float32(math.NaN())
	}
	return float32(math.Ldexp(1, int(c)-127))
}

// E4M3FNFromF32 rounds to the nearest float8e4m3fn. Values beyond 448 become
// 448 when saturate is set, NaN otherwise; the format has no infinity.
func E4M3FNFromF32(x float32, saturate bool) uint8 { return uint8(e4m3fn.encode(x, saturate)) }

// E4M3FNUZFromF32 rounds to the nearest float8e4m3fnuz. Values beyond 240
// become 240 when saturate is set, NaN otherwise.
func E4M3FNUZFromF32(x float32, saturate bool) uint8 { return uint8(e4m3fnuz.encode(x, saturate)) }

// E5M2FromF32 rounds to the nearest float8e5m2. Values beyond 57344, infinity
// included, become 57344 when saturate is set, infinity otherwise.
func E5M2FromF32(x float32, saturate bool) uint8 { return uint8(e5m2.encode(x, saturate)) }

// E5M2FNUZFromF32 rounds to the nearest float8e5m2fnuz. Values beyond 57344
// become 57344 when saturate is set, NaN otherwise.
func E5M2FNUZFromF32(x float32, saturate bool) uint8 { return uint8(e5m2fnuz.encode(x, saturate)) }

// E2M1FromF32 rounds to the nearest float4e2m1. The format is finite: values
// beyond 6, and NaN, become 6 with their sign.
func E2M1FromF32(x float32) uint8 { return uint8(e2m1.encode(x, true)) }

// DecodeE4M3FN converts float8e4m3fn codes.
func DecodeE4M3FN(dst []float32, src []byte) { lookUp(dst, src, &valuesE4M3FN) }

// DecodeE4M3FNUZ converts float8e4m3fnuz codes.
func DecodeE4M3FNUZ(dst []float32, src []byte) { lookUp(dst, src, &valuesE4M3FNUZ) }

// DecodeE5M2 converts float8e5m2 codes.
func DecodeE5M2(dst []float32, src []byte) { lookUp(dst, src, &valuesE5M2) }

// DecodeE5M2FNUZ converts float8e5m2fnuz codes.
func DecodeE5M2FNUZ(dst []float32, src []byte) { lookUp(dst, src, &valuesE5M2FNUZ) }

// DecodeE8M0 converts float8e8m0 codes.
func DecodeE8M0(dst []float32, src []byte) {
	for i := range min(len(dst), len(src)) {
		dst[i] = E8M0ToF32(src[i])
	}
}

func lookUp(dst []float32, src []byte, table *[256]float32) {
	for i := range min(len(dst), len(src)) {
		dst[i] = table[src[i]]
	}
}

// EncodeE4M3FN converts to float8e4m3fn codes, see E4M3FNFromF32.
func EncodeE4M3FN(dst []byte, src []float32, saturate bool) {
	for i := range min(len(dst), len(src)) {
		dst[i] = E4M3FNFromF32(src[i], saturate)
	}
}

// EncodeE5M2 converts to float8e5m2 codes, see E5M2FromF32.
func EncodeE5M2(dst []byte, src []float32, saturate bool) {
	for i := range min(len(dst), len(src)) {
		dst[i] = E5M2FromF32(src[i], saturate)
	}
}

// DecodeE2M1 converts packed float4e2m1 codes, two to a byte.
func DecodeE2M1(dst []float32, src []byte) {
	for i := range min(len(dst), 2*len(src)) {
		dst[i] = valuesE2M1[src[i/2]>>(4*(i&1))&15]
	}
}

// DecodeE2M3 converts packed float6e2m3 codes, four to three bytes.
func DecodeE2M3(dst []float32, src []byte) { lookUp6(dst, src, &valuesE2M3) }

// DecodeE3M2 converts packed float6e3m2 codes, four to three bytes.
func DecodeE3M2(dst []float32, src []byte) { lookUp6(dst, src, &valuesE3M2) }

func lookUp6(dst []float32, src []byte, table *[256]float32) {
	var codes [4]byte
	for i := 0; i < len(dst) && i*3/4 < len(src); i += 4 {
		codes = [4]byte{}
		UnpackUint6(codes[:], src[i/4*3:min(len(src), i/4*3+3)])
		lookUp(dst[i:min(len(dst), i+4)], codes[:], table)
	}
}
