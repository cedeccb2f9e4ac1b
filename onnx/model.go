package onnx

// Model is ModelProto.
type Model struct {
	IRVersion       int64
	OpsetImport     []*OperatorSet
	ProducerName    string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	DocString       string
	Graph           *Graph
	MetadataProps   []Entry
	TrainingInfo    []*TrainingInfo
	Functions       []*Function
	Configuration   []*DeviceConfiguration

	keep
	src *source // what Open opened; nil for models built in memory
}

// keep is what every message carries so that nothing is lost between reading
// and writing: which optional fields were written although they hold their
// default value, and the bytes of fields this package does not know.
type keep struct {
	present uint32
	unknown []byte
}

// OperatorSet is OperatorSetIdProto: the version of one domain that is in use.
type OperatorSet struct {
	Domain  string
	Version int64
	keep
}

// Entry is StringStringEntryProto.
type Entry struct {
	Key, Value string
	keep
}

// TrainingInfo is TrainingInfoProto.
type TrainingInfo struct {
	Initialization        *Graph
	Algorithm             *Graph
	InitializationBinding []Entry
	UpdateBinding         []Entry
	keep
}

// DeviceConfiguration is DeviceConfigurationProto. Its fields are carried, not interpreted.
type DeviceConfiguration struct {
	Name       string
	NumDevices int32
	Device     []string
	keep
}

// Graph is GraphProto.
type Graph struct {
	Node                   []*Node
	Name                   string
	Initializer            []*Tensor
	SparseInitializer      []*SparseTensor
	DocString              string
	Input                  []*ValueInfo
	Output                 []*ValueInfo
	ValueInfo              []*ValueInfo
	QuantizationAnnotation []*TensorAnnotation
	MetadataProps          []Entry
	keep
}

// TensorAnnotation is TensorAnnotation.
type TensorAnnotation struct {
	TensorName               string
	QuantParameterTensorName []Entry
	keep
}

// Node is NodeProto. An absent optional input or output is the empty string.
type Node struct {
	Input         []string
	Output        []string
	Name          string
	OpType        string
	Domain        string
	Overload      string
	Attribute     []*Attribute
	DocString     string
	MetadataProps []Entry
	keep          // device_configurations travel among the unknown fields
}

// Function is FunctionProto.
type Function struct {
	Name           string
	Input          []string
	Output         []string
	Attribute      []string
	AttributeProto []*Attribute
	Node           []*Node
	DocString      string
	OpsetImport    []*OperatorSet
	Domain         string
	Overload       string
	ValueInfo      []*ValueInfo
	MetadataProps  []Entry
	keep
}

// AttributeType is AttributeProto.AttributeType.
type AttributeType int32

// The attribute types of onnx.proto.
const (
	AttrUndefined     AttributeType = 0
	AttrFloat         AttributeType = 1
	AttrInt           AttributeType = 2
	AttrString        AttributeType = 3
	AttrTensor        AttributeType = 4
	AttrGraph         AttributeType = 5
	AttrFloats        AttributeType = 6
	AttrInts          AttributeType = 7
	AttrStrings       AttributeType = 8
	AttrTensors       AttributeType = 9
	AttrGraphs        AttributeType = 10
	AttrSparseTensor  AttributeType = 11
	AttrSparseTensors AttributeType = 12
	AttrTypeProto     AttributeType = 13
	AttrTypeProtos    AttributeType = 14
)

// Attribute is AttributeProto. Type says which one of the value fields holds.
type Attribute struct {
	Name          string
	RefAttrName   string
	DocString     string
	Type          AttributeType
	F             float32
	I             int64
	S             []byte
	T             *Tensor
	G             *Graph
	SparseTensor  *SparseTensor
	TypeProto     *Type
	Floats        []float32
	Ints          []int64
	Strings       [][]byte
	Tensors       []*Tensor
	Graphs        []*Graph
	SparseTensors []*SparseTensor
	TypeProtos    []*Type
	keep
}

// ValueInfo is ValueInfoProto.
type ValueInfo struct {
	Name          string
	Type          *Type
	DocString     string
	MetadataProps []Entry
	keep
}

// Type is TypeProto: at most one of the pointers is set.
type Type struct {
	Tensor       *TensorType
	Sequence     *Type // element type
	Map          *MapType
	Optional     *Type // element type
	SparseTensor *TensorType
	Opaque       *OpaqueType
	Denotation   string
	keep
	box []byte // unknown fields of the message around Sequence or Optional
}

// TensorType is TypeProto.Tensor and TypeProto.SparseTensor.
type TensorType struct {
	Elem  DataType
	Shape *Shape // nil: rank unknown
	keep
}

// MapType is TypeProto.Map.
type MapType struct {
	Key   DataType
	Value *Type
	keep
}

// OpaqueType is TypeProto.Opaque.
type OpaqueType struct {
	Domain, Name string
	keep
}

// Shape is TensorShapeProto.
type Shape struct {
	Dim []Dim
	keep
}

// DimKind says what a Dim holds.
type DimKind uint8

// The three states of TensorShapeProto.Dimension.
const (
	DimUnknown DimKind = iota
	DimValue           // Value holds
	DimParam           // Param holds (a symbolic name)
)

// Dim is TensorShapeProto.Dimension.
type Dim struct {
	Kind       DimKind
	Value      int64
	Param      string
	Denotation string
	keep
}
