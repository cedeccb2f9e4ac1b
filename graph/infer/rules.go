package infer

import (
	"math"

	"github.com/onnxpass/onnxpass/onnx"
)

// rules is the table of operators. Element types of standard operators come from
// package schema; a rule sets them only where type constraints leave them open.
var rules = map[key]rule{
	// Element by element, one operand.
	{"", "Abs"}: mapped(absolute, math.Abs), {"", "Neg"}: mapped(negative, func(f float64) float64 { return -f }), {"", "Sign"}: mapped(sign, nil),
	{"", "Floor"}: mapped(nil, math.Floor), {"", "Ceil"}: mapped(nil, math.Ceil), {"", "Round"}: mapped(nil, math.RoundToEven),
	{"", "Sqrt"}: mapped(nil, math.Sqrt), {"", "Reciprocal"}: mapped(nil, func(f float64) float64 { return 1 / f }), {"", "Not"}: mapped(not, nil),
	{"", "Acos"}: unary, {"", "Acosh"}: unary, {"", "Asin"}: unary, {"", "Asinh"}: unary, {"", "Atan"}: unary, {"", "Atanh"}: unary,
	{"", "Cos"}: unary, {"", "Cosh"}: unary, {"", "Sin"}: unary, {"", "Sinh"}: unary, {"", "Tan"}: unary, {"", "Tanh"}: unary,
	{"", "Exp"}: unary, {"", "Log"}: unary, {"", "Erf"}: unary, {"", "Sigmoid"}: unary, {"", "HardSigmoid"}: unary, {"", "HardSwish"}: unary,
	{"", "Relu"}: unary, {"", "LeakyRelu"}: unary, {"", "PRelu"}: unary, {"", "ThresholdedRelu"}: unary, {"", "Elu"}: unary, {"", "Selu"}: unary,
	{"", "Celu"}: unary, {"", "Gelu"}: unary, {"", "Mish"}: unary, {"", "Swish"}: unary, {"", "Softplus"}: unary, {"", "Softsign"}: unary,
	{"", "Shrink"}: unary, {"", "BitwiseNot"}: unary, {"", "IsInf"}: unary, {"", "IsNaN"}: unary, {"", "Clip"}: clip,
	{"", "Identity"}: identity, {"", "Dropout"}: dropout, {"", "Cast"}: cast, {"", "CastLike"}: castLike, {"", "BitCast"}: bitCast,
	{"", "Softmax"}: unary, {"", "LogSoftmax"}: unary, {"", "Hardmax"}: unary, {"", "CumSum"}: unary, {"", "CumProd"}: unary,
	{"", "Trilu"}: unary, {"", "ReverseSequence"}: unary, {"", "RegexFullMatch"}: unary,

	// Element by element, several operands.
	{"", "Add"}: pairwise(add, addReal), {"", "Sub"}: pairwise(sub, subReal), {"", "Mul"}: pairwise(mul, mulReal), {"", "Div"}: pairwise(div, divReal),
	{"", "Mod"}: modulo, {"", "Max"}: pairwise(larger, nil), {"", "Min"}: pairwise(smaller, nil), {"", "Sum"}: pairwise(add, nil),
	{"", "Equal"}: compare(equalElements), {"", "Less"}: compare(known(func(a, b int64) bool { return a < b })),
	{"", "Greater"}:        compare(known(func(a, b int64) bool { return a > b })),
	{"", "LessOrEqual"}:    compare(known(func(a, b int64) bool { return a <= b })),
	{"", "GreaterOrEqual"}: compare(known(func(a, b int64) bool { return a >= b })),
	{"", "And"}:            compare(known(func(a, b int64) bool { return a != 0 && b != 0 })),
	{"", "Or"}:             compare(known(func(a, b int64) bool { return a != 0 || b != 0 })),
	{"", "Xor"}:            compare(known(func(a, b int64) bool { return (a != 0) != (b != 0) })),
	{"", "Pow"}:            broadcasting, {"", "Mean"}: broadcasting, {"", "Where"}: where, {"", "StringConcat"}: broadcasting, {"", "SwiGLU"}: broadcasting,
	{"", "BitShift"}: broadcasting, {"", "BitwiseAnd"}: broadcasting, {"", "BitwiseOr"}: broadcasting, {"", "BitwiseXor"}: broadcasting,

	// Shapes.
	{"", "Shape"}: shapeOf, {"", "Size"}: sizeOf, {"", "Constant"}: constant, {"", "ConstantOfShape"}: constantOfShape, {"", "Range"}: rangeOf,
	{"", "Reshape"}: reshape, {"", "Flatten"}: flatten, {"", "Squeeze"}: squeeze, {"", "Unsqueeze"}: unsqueeze, {"", "Transpose"}: transpose,
	{"", "Expand"}: expand, {"", "Tile"}: tile, {"", "Concat"}: concat, {"", "Split"}: split, {"", "Slice"}: slice, {"", "Pad"}: pad,
	{"", "CenterCropPad"}: centerCropPad, {"", "Resize"}: resize, {"", "Upsample"}: upsample,
	{"", "DepthToSpace"}: depthToSpace, {"", "SpaceToDepth"}: spaceToDepth, {"", "EyeLike"}: eyeLike,

	// Indices.
	{"", "Gather"}: gather, {"", "GatherElements"}: gatherElements, {"", "GatherND"}: gatherND, {"", "Scatter"}: unary, {"", "ScatterElements"}: unary,
	{"", "ScatterND"}: unary, {"", "TensorScatter"}: tensorScatter, {"", "OneHot"}: oneHot, {"", "TopK"}: topK, {"", "NonZero"}: nonZero,
	{"", "Compress"}: compress, {"", "Unique"}: unique, {"", "ArgMax"}: argReduce, {"", "ArgMin"}: argReduce, {"", "NonMaxSuppression"}: nonMaxSuppression,

	// Reductions.
	{"", "ReduceSum"}: reduce(13, add), {"", "ReduceProd"}: reduce(18, mul), {"", "ReduceMax"}: reduce(18, larger), {"", "ReduceMin"}: reduce(18, smaller),
	{"", "ReduceMean"}: reduce(18, nil), {"", "ReduceL1"}: reduce(18, nil), {"", "ReduceL2"}: reduce(18, nil), {"", "ReduceLogSum"}: reduce(18, nil),
	{"", "ReduceLogSumExp"}: reduce(18, nil), {"", "ReduceSumSquare"}: reduce(18, nil),

	// Matrices, windows, normalisation.
	{"", "MatMul"}: matmul(0, 1), {"", "Gemm"}: gemm, {"", "Einsum"}: einsum, {"", "Det"}: det,
	{"", "Conv"}: conv(1), {"", "ConvTranspose"}: convTranspose, {"", "DeformConv"}: conv(1), {"", "Col2Im"}: col2im,
	{"", "MaxPool"}: pool, {"", "AveragePool"}: pool, {"", "LpPool"}: pool, {"", "MaxUnpool"}: maxUnpool, {"", "MaxRoiPool"}: roiPool, {"", "RoiAlign"}: roiAlign,
	{"", "GlobalAveragePool"}: globalPool, {"", "GlobalMaxPool"}: globalPool, {"", "GlobalLpPool"}: globalPool,
	{"", "BatchNormalization"}: batchNorm, {"", "InstanceNormalization"}: unary, {"", "GroupNormalization"}: unary, {"", "LayerNormalization"}: layerNorm,
	{"", "RMSNormalization"}: rmsNorm, {"", "LpNormalization"}: unary, {"", "MeanVarianceNormalization"}: unary, {"", "LRN"}: unary,
	{"", "GridSample"}: gridSample, {"", "AffineGrid"}: affineGrid,
	{"", "NegativeLogLikelihoodLoss"}: nllLoss, {"", "SoftmaxCrossEntropyLoss"}: softmaxLoss,

	// Sequences over time, attention, signals.
	{"", "RNN"}: recurrent(1), {"", "GRU"}: recurrent(3), {"", "LSTM"}: recurrent(4), {"", "Attention"}: attention, {"", "RotaryEmbedding"}: unary,
	{"", "LinearAttention"}: linearAttention, {"", "CausalConvWithState"}: causalConv, {"ai.onnx.preview", "FlexAttention"}: flexAttention,
	{"", "DFT"}: dft, {"", "STFT"}: stft, {"", "MelWeightMatrix"}: melWeights,
	{"", "HannWindow"}: windowFunction, {"", "HammingWindow"}: windowFunction, {"", "BlackmanWindow"}: windowFunction,

	// Quantization.
	{"", "QuantizeLinear"}: quantizeLinear, {"", "DequantizeLinear"}: dequantizeLinear, {"", "DynamicQuantizeLinear"}: dynamicQuantize,
	{"", "QLinearConv"}: qlinearConv, {"", "QLinearMatMul"}: qlinearMatmul, {"", "ConvInteger"}: convInteger, {"", "MatMulInteger"}: matmulTo(onnx.Int32, 0, 1),

	// Random numbers.
	{"", "RandomNormal"}: random, {"", "RandomUniform"}: random, {"", "RandomNormalLike"}: eyeLike, {"", "RandomUniformLike"}: eyeLike,
	{"", "Bernoulli"}: eyeLike, {"", "Multinomial"}: multinomial,

	// Control flow, sequences, optionals, strings.
	{"", "If"}: ifElse, {"", "Loop"}: loop, {"", "Scan"}: scan, {"", "SequenceMap"}: sequenceMap,
	{"", "SequenceConstruct"}: sequenceConstruct, {"", "SequenceEmpty"}: sequenceEmpty, {"", "SequenceAt"}: sequenceAt, {"", "SequenceInsert"}: sequenceInsert,
	{"", "SequenceErase"}: sequenceErase, {"", "SequenceLength"}: scalarOutput, {"", "SplitToSequence"}: splitToSequence,
	{"", "ConcatFromSequence"}: concatFromSequence, {"", "Optional"}: optional, {"", "OptionalGetElement"}: optionalGet,
	{"", "OptionalHasElement"}: scalarOutput, {"", "ImageDecoder"}: imageDecoder, {"", "StringSplit"}: stringSplit, {"", "TfIdfVectorizer"}: tfIdf,

	// ai.onnx.ml.
	{"ai.onnx.ml", "Binarizer"}: unary, {"ai.onnx.ml", "Imputer"}: unary, {"ai.onnx.ml", "Normalizer"}: unary, {"ai.onnx.ml", "Scaler"}: unary,
	{"ai.onnx.ml", "LabelEncoder"}: unary, {"ai.onnx.ml", "CategoryMapper"}: unary, {"ai.onnx.ml", "ArrayFeatureExtractor"}: arrayFeatureExtractor,

	// What ONNX Runtime's optimizer writes.
	{"", "SimplifiedLayerNormalization"}: layerNorm, {ms, "Gelu"}: same, {ms, "FastGelu"}: same, {ms, "QuickGelu"}: same, {ms, "BiasGelu"}: same,
	{ms, "BiasSplitGelu"}: biasSplitGelu, {ms, "BiasAdd"}: same, {ms, "BiasSoftmax"}: same, {ms, "Inverse"}: same, {ms, "Trilu"}: same, {ms, "GroupNorm"}: same,
	{ms, "MoE"}: same, {ms, "RotaryEmbedding"}: same, {ms, "SkipLayerNormalization"}: skipNorm, {ms, "SkipSimplifiedLayerNormalization"}: skipNorm,
	{ms, "EmbedLayerNormalization"}: embedNorm, {ms, "Attention"}: fusedAttention, {ms, "MultiHeadAttention"}: multiHeadAttention,
	{ms, "GroupQueryAttention"}: groupQueryAttention, {ms, "FusedMatMul"}: fusedMatmul, {ms, "FusedGemm"}: kept(0, gemm), {ms, "FusedConv"}: kept(0, conv(1)),
	{ms, "MatMulNBits"}: nbitsMatmul, {ms, "MatMulBnb4"}: nbitsMatmul, {ms, "DynamicQuantizeMatMul"}: matmulTo(onnx.Float, 0, 1),
	{ms, "MatMulIntegerToFloat"}: kept(2, matmul(0, 1)), {ms, "QuantizeLinear"}: quantizeLinear, {ms, "DequantizeLinear"}: dequantizeLinear,
	{ms, "QLinearConv"}: qlinearConv, {ms, "QLinearAdd"}: qlinearBinary, {ms, "QLinearMul"}: qlinearBinary, {ms, "QLinearSigmoid"}: same,
	{ms, "QLinearLeakyRelu"}: same, {ms, "QLinearSoftmax"}: same, {ms, "QLinearConcat"}: qlinearConcat,
	{ms, "QLinearAveragePool"}: qlinearPool(pool), {ms, "QLinearGlobalAveragePool"}: qlinearPool(globalPool),
	{ms, "DynamicQuantizeLSTM"}: dynamicLSTM,
}

// ms is the domain of ONNX Runtime's own operators.
const ms = "com.microsoft"

// Supports tells whether the operator has a rule for its shapes.
func Supports(domain, op string) bool {
	if domain == "ai.onnx" {
		domain = ""
	}
	_, ok := rules[key{domain, op}]
	return ok
}
