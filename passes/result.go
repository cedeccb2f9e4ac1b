package passes

import (
	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Schema names the JSON form of Result. Within one number, changes only add fields.
const Schema = "onnxpass.report/1"

// Result is what a Job did, measured. It is the JSON report of the command
// line, whose fields docs/report.md describes.
type Result struct {
	Schema string   `json:"schema"`
	Tool   string   `json:"tool"` // "onnxpass 0.1.0"
	Target string   `json:"target"`
	Input  FileInfo `json:"input"`
	Asked  string   `json:"asked"` // the steps as the user wrote them
	Order  []string `json:"order"` // the steps as they run, as specs
	DryRun bool     `json:"dry_run"`

	Data   *DataInfo     `json:"data"` // nil without samples
	Before Bill          `json:"before"`
	After  Bill          `json:"after"`
	Passes []*StepReport `json:"passes"`

	Verify   *Verification    `json:"verify"` // nil when the new model was not run
	Gates    []GateResult     `json:"gates"`
	Findings []target.Finding `json:"findings"` // of the target's lint
	Notes    []*diag.Error    `json:"notes"`    // warnings, those of the steps included
	Outputs  []FileInfo       `json:"outputs"`  // files written
	Rejected string           `json:"rejected,omitempty"`
	Contract []string         `json:"interface_changes"` // differences of inputs and outputs; empty: unchanged
	Seconds  float64          `json:"seconds"`
}

// FileInfo describes a model file.
type FileInfo struct {
	Path    string   `json:"path"`
	Bytes   int64    `json:"bytes"` // with external data
	SHA256  string   `json:"sha256,omitempty"`
	IR      int64    `json:"ir_version,omitempty"`
	Opset   int64    `json:"opset,omitempty"`
	Inputs  []string `json:"inputs,omitempty"` // "images float32[N,3,224,224]"
	Outputs []string `json:"outputs,omitempty"`
}

// DataInfo describes the samples.
type DataInfo struct {
	Calibration int      `json:"calibration_samples"`
	HeldOut     int      `json:"held_out_samples"`
	SHA256      string   `json:"sha256"`
	Random      bool     `json:"random"`
	Notes       []string `json:"notes,omitempty"`
	// Inputs are figures of the first samples as the model gets them: wrong scaling or colour order shows in them.
	Inputs []calib.InputSummary `json:"inputs,omitempty"`
}

// Bill is what a model holds and computes.
type Bill struct {
	FileBytes  int64   `json:"file_bytes"`
	Params     int64   `json:"params"`
	ParamBytes int64   `json:"param_bytes"`
	MACs       *int64  `json:"macs"` // nil when nothing could be counted
	Uncounted  int     `json:"macs_uncounted_layers"`
	Shapes     string  `json:"macs_shapes"` // the input shapes that MACs were counted for
	Int8Pct    float64 `json:"macs_int8_pct"`
	Nodes      int     `json:"nodes"`
	Quantize   int     `json:"quantize_nodes"`
	Dequantize int     `json:"dequantize_nodes"`
}

// Verification is the comparison of the original and the new model on held-out samples.
// Outputs of integer or boolean type (indices, counts) have figures of their
// own in Outputs; SQNR, Cosine and MaxAbs speak of the others, unless there are none.
type Verification struct {
	Runtime  string         `json:"runtime"`
	Samples  int            `json:"samples"`
	Random   bool           `json:"random"`
	SQNR     float64        `json:"sqnr_db"`       // 10 log10(sum ref^2 / sum err^2) over all outputs; 200: no difference
	Worst    float64        `json:"worst_sqnr_db"` // of the worst output
	Output   string         `json:"worst_output"`  // its name
	Cosine   float64        `json:"cosine"`        // lowest of any output, mean over samples
	MaxAbs   float64        `json:"max_abs"`       // largest of any output
	Agree    *float64       `json:"agree_pct"`     // lowest share of equal argmax of any output, in percent; nil where none has classes
	Outputs  []OutputMetric `json:"per_output"`
	Lowest   []SampleMetric `json:"worst_samples"`      // lowest SQNR first
	Broken   int64          `json:"non_finite"`         // elements that are finite in only one of the two
	Accuracy *Accuracy      `json:"accuracy,omitempty"` // with labels
	Peer     *PeerCheck     `json:"peer"`               // the target's own runtime; nil when it was not asked
}

// OutputMetric is the comparison of one output over all samples.
type OutputMetric struct {
	Name      string   `json:"name"`
	Integer   bool     `json:"integer"` // integer or boolean elements
	SQNR      float64  `json:"sqnr_db"`
	Cosine    float64  `json:"cosine"`
	MaxAbs    float64  `json:"max_abs"`
	Agree     *float64 `json:"agree_pct"` // nil where an argmax says nothing
	Undefined int64    `json:"undefined"` // elements that are NaN, or the same infinity, in both
	Broken    int64    `json:"non_finite"`
}

// SampleMetric is the comparison on one sample over all outputs.
type SampleMetric struct {
	Name string  `json:"name"`
	SQNR float64 `json:"sqnr_db"`
}

// PeerCheck is the new file in a second runtime.
type PeerCheck struct {
	Runtime string  `json:"runtime"`
	Samples int     `json:"samples"`
	SQNR    float64 `json:"sqnr_db"`         // against the original in the first runtime, worst output
	Between float64 `json:"between_sqnr_db"` // of the two runtimes on the new file, worst output
	Agree   bool    `json:"agree"`
	Failure string  `json:"failure,omitempty"` // the runtime refused the file or crashed
}

// Accuracy is the share of samples, in percent, whose argmax of the first output is the labelled class.
type Accuracy struct {
	Before  float64 `json:"before_pct"`
	After   float64 `json:"after_pct"`
	Samples int     `json:"samples"`
}

// GateResult is one limit and what was measured against it.
type GateResult struct {
	Gate  string `json:"gate"`  // "min-sqnr"
	Limit string `json:"limit"` // "25 dB"
	Found string `json:"found"` // "31.2 dB"
	Pass  bool   `json:"pass"`
	Code  string `json:"code"` // of the message when it fails
}
