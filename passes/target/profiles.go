package target

import "github.com/onnxpass/onnxpass/onnx"

// profiles builds the four targets. They are built anew for every look-up, so
// that a caller who changes one changes nobody else's.
func profiles() []*Profile {
	return []*Profile{openvino(), tensorrt(), ort(), portable()}
}

// movement lists operators that copy or select elements. Their output holds
// only values of their input, so one scale serves both sides.
func movement(extra ...string) []string {
	return append([]string{
		"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Resize",
		"DepthToSpace", "SpaceToDepth", "Identity", "Pad",
	}, extra...)
}

func openvino() *Profile {
	return &Profile{
		Name:    "openvino",
		Title:   "OpenVINO, CPU plugin",
		Version: "measured with 2026.4.1 (AVX512-VNNI)",
		Summary: "unsigned 8-bit activations with zero points, residual additions in float, float biases, FP32 elsewhere",
		Quant: Quantization{
			Linear:      []string{"Conv", "ConvTranspose", "Gemm", "MatMul"},
			Signed:      onnx.Uint8,
			Unsigned:    onnx.Uint8,
			ZeroPoint:   Any,
			PerChannel:  []string{"DepthwiseConv"},
			Residual:    ResidualFloat, // quantized additions are no faster, and every block adds their noise to the stream
			UnsignedPad: true,
			Movement:    movement("Concat", "Split"),
			Concat:      ConcatJoin,
			PairSums:    true,
			Attention:   AttentionScores,
			Codes:       onnx.Int8,
			CodesState:  onnx.Uint8,
			Scale:       onnx.Float,
			Bias:        onnx.Float,
			Rest:        onnx.Float,
		},
		Weights: WeightOnly{
			Kept:       []string{"MatMul", "Gemm"},
			Outermost:  true,
			FloatScale: true,
			Lookup:     true,
			Types:      []onnx.DataType{onnx.Int4, onnx.Uint4, onnx.Uint8, onnx.Float8E4M3FN, onnx.Float8E5M2},
			Widened:    []onnx.DataType{onnx.Int8, onnx.Uint8, onnx.Int4, onnx.Uint4, onnx.Float8E4M3FN, onnx.Float8E5M2},
		},
		Float16: Floats16{Types: []onnx.DataType{onnx.Float16, onnx.BFloat16}},
		File: FileRules{
			OpsetMin: 7, OpsetMax: 21, OpsetWrite: 13, IRMax: 10,
			Elements: []onnx.DataType{
				onnx.Float, onnx.Float16, onnx.BFloat16, onnx.Double, onnx.Bool, onnx.String,
				onnx.Int4, onnx.Uint4, onnx.Int8, onnx.Uint8, onnx.Int16, onnx.Uint16, onnx.Int32, onnx.Uint32, onnx.Int64, onnx.Uint64,
				onnx.Float8E4M3FN, onnx.Float8E5M2,
			},
		},
		Rules: openvinoRules(),
	}
}

func tensorrt() *Profile {
	return &Profile{
		Name:    "tensorrt",
		Title:   "TensorRT 10 and 11, NVIDIA GPU",
		Version: "measured with the parser of 11.2 and the parser and builder of RTX 1.7.1",
		Summary: "signed 8-bit activations with zero point 0, only the skip input of residual additions quantized, float biases",
		Quant: Quantization{
			Linear:      []string{"Conv", "ConvTranspose", "Gemm", "MatMul"},
			Signed:      onnx.Int8,
			Unsigned:    onnx.Int8,
			ZeroPoint:   ZeroOnly,
			Centred:     true,
			Residual:    ResidualSkip,
			Movement:    movement("Concat", "Split"),
			ChannelPad:  true,
			Concat:      ConcatJoin,
			Attention:   AttentionBoth,
			MaxSequence: 512,
			Small:       SmallShapes{MatMul: 16, GEMV: true, Channels: 16, Multiple: 8},
			Codes:       onnx.Uint8,
			CodesState:  onnx.Uint8,
			Scale:       onnx.Float,
			Bias:        onnx.Float,
			Rest:        onnx.Float16,
		},
		Weights: WeightOnly{
			Kept:     []string{"MatMul", "Gemm", "Conv", "ConvTranspose"},
			Types:    []onnx.DataType{onnx.Int4, onnx.Float8E4M3FN},
			Unfolded: true,
		},
		Float16: Floats16{Types: []onnx.DataType{onnx.Float16, onnx.BFloat16}, Scales: true,
			NoBF16: []string{"ConvTranspose", "DFT", "GRU", "HardSwish", "LpNormalization", "LpPool", "Mish", "RandomNormalLike"}},
		Float8: Floats8{
			Types: []onnx.DataType{onnx.Float8E4M3FN}, Linear: []string{"Conv", "Gemm", "MatMul"},
			Small: SmallShapes{MatMul: 16, GEMV: true, Channels: 17, Volume: 32},
		},
		File: FileRules{
			OpsetMin: 7, OpsetMax: 24, OpsetWrite: 13, IRMax: 13,
			Elements: []onnx.DataType{
				onnx.Float, onnx.Float16, onnx.BFloat16, onnx.Double, onnx.Int8, onnx.Int32, onnx.Int64, onnx.Bool, onnx.Uint8,
				onnx.Float8E4M3FN, onnx.Int4, onnx.Float4E2M1,
			},
			Forbidden: tensorrtForbidden(),
		},
		Rules: tensorrtRules(),
	}
}

func ort() *Profile {
	return &Profile{
		Name:    "ort",
		Title:   "ONNX Runtime, CPU execution provider",
		Version: "measured with 1.30.0 and 1.32.0 (x86-64, AVX512-VNNI)",
		Summary: "unsigned 8-bit activations with zero points, outputs of convolutions and residual additions quantized, float biases",
		Quant: Quantization{
			Linear:           []string{"Conv", "Gemm", "MatMul"},
			Signed:           onnx.Uint8,
			Unsigned:         onnx.Uint8,
			ZeroPoint:        Any,
			Residual:         ResidualOutput,
			Outputs:          []string{"Conv"},
			Fused:            []string{"Relu", "Clip"},
			Native:           []Native{NativeSwish, NativePRelu},
			ShareAll:         true,
			QuantizesWeights: true,
			RepeatPairs:      true,
			Movement: []string{
				"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Resize", "Pad",
			},
			ChannelPad:  true,
			IntegerBias: []string{"Gemm"},
			Concat:      ConcatOwn,
			PairSums:    true,
			Attention:   AttentionFloat,
			Dynamic:     []string{"LSTM"},
			Small:       SmallShapes{Hidden: 48},
			Codes:       onnx.Int8,
			CodesState:  onnx.Int8,
			Scale:       onnx.Float,
			Bias:        onnx.Float,
			Rest:        onnx.Float,
		},
		Weights: WeightOnly{
			Kept:    []string{"MatMul", "Gemm"},
			Upright: true,
			Sole:    true,
			Lookup:  true,
			Blocks:  BinaryBlocks,
			Types:   []onnx.DataType{onnx.Int4, onnx.Uint4, onnx.Uint8, onnx.Float8E4M3FN, onnx.Float8E5M2},
			Widened: []onnx.DataType{onnx.Int8, onnx.Uint8, onnx.Int4, onnx.Uint4, onnx.Float8E4M3FN, onnx.Float8E5M2},
		},
		Float16: Floats16{Types: []onnx.DataType{onnx.Float16}},
		Float8:  Floats8{Types: []onnx.DataType{onnx.Float8E4M3FN, onnx.Float8E5M2}, Linear: []string{"Conv", "Gemm", "MatMul"}, Native: []Native{NativeBound}},
		File: FileRules{
			OpsetMin: 7, OpsetMax: 26, OpsetWrite: 13, IRMax: 13,
		},
		Rules: ortRules(),
	}
}

func portable() *Profile {
	return &Profile{
		Name:    "portable",
		Title:   "one file for OpenVINO, TensorRT and ONNX Runtime",
		Version: "the common ground of the other three, none of which runs it best",
		Summary: "signed 8-bit activations with zero point 0, only the skip input of residual additions quantized, float biases, opset 13 to 17",
		Quant: Quantization{
			Linear:     []string{"Conv", "ConvTranspose", "Gemm", "MatMul"},
			Signed:     onnx.Int8,
			Unsigned:   onnx.Int8,
			ZeroPoint:  ZeroOnly,
			Residual:   ResidualSkip,
			Movement:   movement(),
			Concat:     ConcatOwn,
			PairSums:   true,
			Attention:  AttentionFloat,
			Codes:      onnx.Uint8,
			CodesState: onnx.Uint8,
			Scale:      onnx.Float,
			Bias:       onnx.Float,
			Rest:       onnx.Float,
		},
		Weights: WeightOnly{
			Kept:    []string{"MatMul"},
			Widened: []onnx.DataType{onnx.Uint8},
		},
		Float16: Floats16{Types: []onnx.DataType{onnx.Float16}},
		File: FileRules{
			OpsetMin: 7, OpsetMax: 17, OpsetWrite: 13, IRMax: 8,
			Elements: []onnx.DataType{
				onnx.Float, onnx.Float16, onnx.Double, onnx.Int8, onnx.Int32, onnx.Int64, onnx.Bool, onnx.Uint8,
			},
			Forbidden: tensorrtForbidden(),
		},
		Rules: portableRules(),
	}
}
