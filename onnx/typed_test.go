package onnx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"google.golang.org/protobuf/encoding/protowire"
)

// proto appends fields the way any protobuf writer may.
type proto []byte

func (p proto) varint(num protowire.Number, v uint64) proto {
	return protowire.AppendVarint(protowire.AppendTag(p, num, protowire.VarintType), v)
}

func (p proto) bytes(num protowire.Number, b []byte) proto {
	return protowire.AppendBytes(protowire.AppendTag(p, num, protowire.BytesType), b)
}

func (p proto) str(num protowire.Number, s string) proto { return p.bytes(num, []byte(s)) }

func (p proto) fixed32(num protowire.Number, v float32) proto {
	return protowire.AppendFixed32(protowire.AppendTag(p, num, protowire.Fixed32Type), math.Float32bits(v))
}

func (p proto) fixed64(num protowire.Number, v float64) proto {
	return protowire.AppendFixed64(protowire.AppendTag(p, num, protowire.Fixed64Type), math.Float64bits(v))
}

func (p proto) packed(num protowire.Number, v ...int64) proto {
	var b []byte
	for _, x := range v {
		b = protowire.AppendVarint(b, uint64(x))
	}
	return p.bytes(num, b)
}

// header is a tensor's type and dims.
func header(t onnx.DataType, dims ...int64) proto {
	var p proto
	for _, d := range dims {
		p = p.varint(1, uint64(d))
	}
	return p.varint(2, uint64(t)).str(8, "w")
}

// around makes a model of a graph's content.
func around(graph proto) []byte {
	return proto{}.varint(1, 8).bytes(7, graph).bytes(8, proto{}.varint(2, 17))
}

func withTensor(tensor proto) []byte { return around(proto{}.str(2, "g").bytes(5, tensor)) }

func decodeTensor(t *testing.T, tensor proto) *onnx.Tensor {
	t.Helper()
	m, err := onnx.Decode(withTensor(tensor))
	if err != nil {
		t.Fatal(err)
	}
	return m.Graph.Initializer[0]
}

// TestTypedFields reads every mapping of targets.md 7 item 8, in the packed and
// the unpacked form, and in two packed pieces.
func TestTypedFields(t *testing.T) {
	floats := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	doubles := func(v ...float64) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	for name, c := range map[string]struct {
		tensor proto
		raw    []byte
	}{
		"float32 packed":      {header(onnx.Float, 2).bytes(4, floats(1, -2)), floats(1, -2)},
		"float32 unpacked":    {header(onnx.Float, 2).fixed32(4, 1).fixed32(4, -2), floats(1, -2)},
		"float32 two pieces":  {header(onnx.Float, 3).bytes(4, floats(1)).bytes(4, floats(-2, 3)), floats(1, -2, 3)},
		"float32 mixed":       {header(onnx.Float, 3).bytes(4, floats(1, -2)).fixed32(4, 3), floats(1, -2, 3)},
		"complex64":           {header(onnx.Complex64, 1).bytes(4, floats(1, -2)), floats(1, -2)},
		"complex64 unpacked":  {header(onnx.Complex64, 1).fixed32(4, 1).fixed32(4, -2), floats(1, -2)},
		"float64":             {header(onnx.Double, 2).bytes(10, doubles(1, -2)), doubles(1, -2)},
		"float64 unpacked":    {header(onnx.Double, 2).fixed64(10, 1).fixed64(10, -2), doubles(1, -2)},
		"complex128":          {header(onnx.Complex128, 1).bytes(10, doubles(1, -2)), doubles(1, -2)},
		"complex128 unpacked": {header(onnx.Complex128, 1).fixed64(10, 1).fixed64(10, -2), doubles(1, -2)},
		"int64":               {header(onnx.Int64, 2).packed(7, -1, 300), []byte{255, 255, 255, 255, 255, 255, 255, 255, 44, 1, 0, 0, 0, 0, 0, 0}},
		"int64 unpacked":      {header(onnx.Int64, 1).varint(7, 300), []byte{44, 1, 0, 0, 0, 0, 0, 0}},
		"uint64":              {header(onnx.Uint64, 1).packed(11, -1), bytes.Repeat([]byte{255}, 8)},
		"uint32":              {header(onnx.Uint32, 2).packed(11, 1, 1<<32-1), []byte{1, 0, 0, 0, 255, 255, 255, 255}},
		"int32":               {header(onnx.Int32, 2).packed(5, -2, 7), []byte{254, 255, 255, 255, 7, 0, 0, 0}},
		"int16":               {header(onnx.Int16, 2).packed(5, -2, 300), []byte{254, 255, 44, 1}},
		"uint16":              {header(onnx.Uint16, 1).packed(5, 65535), []byte{255, 255}},
		"int8":                {header(onnx.Int8, 3).packed(5, -128, -1, 127), []byte{128, 255, 127}},
		"uint8":               {header(onnx.Uint8, 2).packed(5, 0, 255), []byte{0, 255}},
		"bool":                {header(onnx.Bool, 2).packed(5, 1, 0), []byte{1, 0}},
		"float16":             {header(onnx.Float16, 2).packed(5, 0x3c00, 0xc000), []byte{0, 0x3c, 0, 0xc0}},
		"bfloat16":            {header(onnx.BFloat16, 1).packed(5, 0x3f80), []byte{0x80, 0x3f}},
		"float8e4m3fn":        {header(onnx.Float8E4M3FN, 2).packed(5, 0x38, 0xb8), []byte{0x38, 0xb8}},
		"float8e4m3fnuz":      {header(onnx.Float8E4M3FNUZ, 1).packed(5, 0x40), []byte{0x40}},
		"float8e5m2":          {header(onnx.Float8E5M2, 1).packed(5, 0x3c), []byte{0x3c}},
		"float8e5m2fnuz":      {header(onnx.Float8E5M2FNUZ, 1).packed(5, 0x40), []byte{0x40}},
		"float8e8m0":          {header(onnx.Float8E8M0, 1).packed(5, 127), []byte{127}},
		"uint4":               {header(onnx.Uint4, 3).packed(5, 0x21, 0x0f), []byte{0x21, 0x0f}},
		"int4":                {header(onnx.Int4, 3).packed(5, 0xe1, 0x08), []byte{0xe1, 0x08}},
		"float4e2m1":          {header(onnx.Float4E2M1, 2).packed(5, 0x72), []byte{0x72}},
		"uint2":               {header(onnx.Uint2, 5).packed(5, 0xe4, 0x01), []byte{0xe4, 0x01}},
		"int2":                {header(onnx.Int2, 4).packed(5, 0x1b), []byte{0x1b}},
		"float6e2m3":          {header(onnx.Float6E2M3, 4).packed(5, 1, 2, 3, 4), []byte{0x81, 0x30, 0x10}},
		"float6e3m2":          {header(onnx.Float6E3M2, 1).packed(5, 63), []byte{63}},
	} {
		t.Run(name, func(t *testing.T) {
			x := decodeTensor(t, c.tensor)
			got, err := x.Data.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, c.raw) {
				t.Errorf("got % x, want % x", got, c.raw)
			}
			again := write(t, &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}},
				Graph: &onnx.Graph{Initializer: []*onnx.Tensor{x}}})
			if !bytes.Contains(again, proto{}.bytes(9, c.raw)) {
				t.Error("not written as raw_data")
			}
		})
	}
}

func TestStringTensor(t *testing.T) {
	x := decodeTensor(t, header(onnx.String, 2).str(6, "a").str(6, "\xff"))
	if len(x.Strings) != 2 || string(x.Strings[0]) != "a" || string(x.Strings[1]) != "\xff" || x.Data != nil {
		t.Errorf("got %q", x.Strings)
	}
}

// TestLargeVarints takes the way that converts when asked for.
func TestLargeVarints(t *testing.T) {
	want := make([]int64, 20000)
	for i := range want {
		want[i] = int64(i)*1e14 - 7
	}
	x := decodeTensor(t, header(onnx.Int64, int64(len(want))).packed(7, want...))
	got, err := x.Int64s()
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v", err)
	}
}

// TestBadTensors: a contradiction is an error with the tensor's name, found while decoding.
func TestBadTensors(t *testing.T) {
	for name, c := range map[string]struct {
		tensor proto
		code   string
	}{
		"raw too short":        {header(onnx.Float, 2).bytes(9, make([]byte, 7)), "OP3011"},
		"raw too long":         {header(onnx.Float, 2).bytes(9, make([]byte, 9)), "OP3011"},
		"no content":           {header(onnx.Float, 2), "OP3011"},
		"content without type": {proto{}.str(8, "w").bytes(9, make([]byte, 4)), ""},
		"too many int64":       {header(onnx.Int64, 2).packed(7, 1, 2, 3), "OP3011"},
		"cut varint":           {header(onnx.Int64, 1).bytes(7, []byte{0x80}), "OP3011"},
		"endless varint":       {header(onnx.Int64, 1).bytes(7, append(bytes.Repeat([]byte{0x80}, 12), 1)), "OP3011"},
		"broken float piece":   {header(onnx.Float, 1).bytes(4, make([]byte, 5)), "OP3011"},
		"wrong field":          {header(onnx.Float, 1).packed(5, 1), "OP3011"},
		"two fields":           {header(onnx.Float, 1).packed(5, 1).fixed32(4, 1), "OP3011"},
		"raw and typed":        {header(onnx.Float, 1).bytes(9, make([]byte, 4)).fixed32(4, 1), "OP3011"},
		"strings missing":      {header(onnx.String, 2).str(6, "a"), "OP3011"},
		"strings as raw":       {header(onnx.String, 1).bytes(9, []byte("a")), "OP3011"},
		"strings elsewhere":    {header(onnx.Float, 0).str(6, "a"), "OP3011"},
		"segment":              {header(onnx.Float, 0).bytes(3, nil), "OP3011"},
		"negative dim":         {header(onnx.Float, -1), "OP3010"},
		"dims overflow":        {header(onnx.Float, 1<<32, 1<<32), "OP3010"},
		"many dims":            {header(onnx.Float, make([]int64, 1025)...), "OP3011"},
		"dims overflow late":   {header(onnx.Float, 1<<62, 2), "OP3010"},
		"bytes overflow":       {header(onnx.Double, 1<<61), "OP3011"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := onnx.Decode(withTensor(c.tensor))
			if c.code == "" {
				if err != nil {
					t.Fatalf("a type this version does not know must be carried: %v", err)
				}
				return
			}
			wantCode(t, err, c.code)
			if !strings.Contains(err.Error(), "w ") {
				t.Errorf("the tensor is not named: %v", err)
			}
		})
	}
	if x := decodeTensor(t, header(onnx.Float, 0, 1<<62, 1<<62)); x.Data != nil {
		t.Error("a dim of 0 makes an empty tensor whatever the others are")
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *diag.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	if _, ok := diag.Explain(code); !ok {
		t.Errorf("%s is not documented", code)
	}
}

func TestElements(t *testing.T) {
	roundTrip(t, []bool{true, false})
	roundTrip(t, []int8{-128, 127})
	roundTrip(t, []uint8{0, 255})
	roundTrip(t, []int16{-32768, 32767})
	roundTrip(t, []uint16{0, 65535})
	roundTrip(t, []int32{math.MinInt32, math.MaxInt32})
	roundTrip(t, []uint32{0, math.MaxUint32})
	roundTrip(t, []int64{math.MinInt64, math.MaxInt64})
	roundTrip(t, []uint64{0, math.MaxUint64})
	roundTrip(t, []float32{-1.5, math.MaxFloat32})
	roundTrip(t, []float64{-1.5, math.MaxFloat64})
	roundTrip(t, []complex64{1 + 2i, -3})
	roundTrip(t, []complex128{1 + 2i, -3})
	if _, err := onnx.Elements[int8](onnx.From(nil, []uint8{1})); err == nil {
		t.Error("wrong type accepted")
	}
	if b, err := onnx.Elements[bool](onnx.NewTensor(onnx.Bool, []int64{1}, []byte{7})); err != nil || !b[0] {
		t.Errorf("bool 7: %v %v", b, err)
	}
}

func roundTrip[T onnx.Element](t *testing.T, values []T) {
	t.Helper()
	x := onnx.From([]int64{int64(len(values))}, values)
	if x.Type != onnx.TypeOf[T]() {
		t.Errorf("%T became %v", values, x.Type)
	}
	got, err := onnx.Elements[T](x)
	if err != nil || !slices.Equal(got, values) {
		t.Errorf("%v came back as %v, %v", values, got, err)
	}
}

func TestConvertedElements(t *testing.T) {
	for _, c := range []struct {
		t    onnx.DataType
		raw  []byte
		want []float64
	}{
		{onnx.Float16, []byte{0, 0x3c, 0, 0xc0}, []float64{1, -2}},
		{onnx.BFloat16, []byte{0x80, 0x3f}, []float64{1}},
		{onnx.Float8E4M3FN, []byte{0x38, 0xb8}, []float64{1, -1}},
		{onnx.Float8E4M3FNUZ, []byte{0x40}, []float64{1}},
		{onnx.Float8E5M2, []byte{0x3c}, []float64{1}},
		{onnx.Float8E5M2FNUZ, []byte{0x40}, []float64{1}},
		{onnx.Float8E8M0, []byte{128}, []float64{2}},
		{onnx.Float4E2M1, []byte{0x72, 0x0f}, []float64{1, 6, -6}},
		{onnx.Float6E2M3, []byte{8}, []float64{1}},
		{onnx.Float6E3M2, []byte{12}, []float64{1}},
		{onnx.Double, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)), []float64{0.1}},
	} {
		got, err := onnx.NewTensor(c.t, []int64{int64(len(c.want))}, c.raw).Float64s()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, %v", c.t, got, err)
		}
	}
	for _, c := range []struct {
		t    onnx.DataType
		raw  []byte
		want []int64
	}{
		{onnx.Int4, []byte{0xe1, 0x08}, []int64{1, -2, -8}},
		{onnx.Uint4, []byte{0xe1, 0x08}, []int64{1, 14, 8}},
		{onnx.Int2, []byte{0b11_10_01_00}, []int64{0, 1, -2, -1}},
		{onnx.Uint2, []byte{0b11_10_01_00}, []int64{0, 1, 2, 3}},
		{onnx.Int8, []byte{0x80}, []int64{-128}},
		{onnx.Int16, []byte{0, 0x80}, []int64{-32768}},
		{onnx.Int32, []byte{0, 0, 0, 0x80}, []int64{math.MinInt32}},
		{onnx.Uint32, []byte{0, 0, 0, 0x80}, []int64{1 << 31}},
		{onnx.Bool, []byte{9}, []int64{1}},
	} {
		got, err := onnx.NewTensor(c.t, []int64{int64(len(c.want))}, c.raw).Int64s()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, %v", c.t, got, err)
		}
	}
	if _, err := onnx.From(nil, []uint64{1 << 63}).Int64s(); err == nil {
		t.Error("2^63 does not fit int64")
	}
	if _, err := onnx.NewTensor(onnx.Float, []int64{2}, make([]byte, 4)).Float32s(); err == nil {
		t.Error("short content accepted")
	}
}

func TestDataTypeNames(t *testing.T) {
	for i := onnx.Float; i <= onnx.Float6E3M2; i++ {
		if back, ok := onnx.ParseDataType(i.String()); !ok || back != i {
			t.Errorf("%d %s", i, i)
		}
		if i != onnx.String && i.Bits() == 0 {
			t.Errorf("%s has no size", i)
		}
	}
	if onnx.DataType(99).String() != "datatype(99)" || onnx.DataType(-1).Known() || onnx.Undefined.Known() {
		t.Error("types beyond the table")
	}
}
