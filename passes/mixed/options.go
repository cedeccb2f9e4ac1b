package mixed

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Options of the pass.
type Options struct {
	Size     passes.Size `help:"bytes that the file may take"`
	BPW      float64     `opt:"bpw" min:"0" max:"32" help:"bits that a weight may take on average, with scales and tables"`
	MinSQNR  float64     `opt:"min-sqnr" min:"0" max:"200" help:"dB between signal and error of the worst output; the smallest file that keeps it"`
	MinAgree float64     `min:"0" max:"100" help:"percent of equal predictions (argmax); the smallest file that keeps it"`
	MaxDrop  float64     `min:"0" max:"100" help:"points of accuracy that may be lost: of the labelled samples with --labels, else the share of predictions that change, which bounds the loss"`

	Formats      []string      `help:"forms to choose from: fp32 fp16 int8 int4 codebook256 codebook16 vector codebook4; empty: those of 8 and 4 bits that suit the target"`
	MinElems     int64         `min:"1" help:"weights with fewer elements stay as they are"`
	ProbeSamples int           `min:"1" max:"4096" help:"samples that every group of weights is tried on"`
	Samples      int           `min:"1" max:"65536" help:"samples, at most, that a whole assignment is judged on"`
	TimeLimit    time.Duration `help:"time for the search, such as 5m; then the best assignment so far is taken; 0: none"`
	Attempts     int           `min:"1" max:"64" help:"assignments, at most, that are judged for a quality"`
	Uniform      bool          `help:"judge uniform assignments within the budget too, and take one if it is better"`
	RecipeOut    string        `help:"JSON file to write the assignment to"`
	RecipeIn     string        `help:"JSON file with an assignment that recipe-out wrote, to be repeated without a search"`
}

var defaults = Options{MinElems: 1024, ProbeSamples: 16, Samples: 64, Attempts: 8, Uniform: true}

// Validate checks names and that there is one way to choose.
func (o Options) Validate() error {
	for _, name := range o.Formats {
		if !slices.Contains(formNames, name) {
			e := diag.New("OP2005", "unknown form of weights", "option", "formats", "found", name, "wanted", strings.Join(formNames, ", "))
			if near := diag.DidYouMean(name, formNames); near != "" {
				e.Hinted("%s", near)
			}
			return e
		}
	}
	sizes, qualities := o.sizes(), o.qualities()
	switch {
	case o.RecipeIn != "" && sizes+qualities > 0:
		return diag.New("OP2005", "a recipe leaves nothing to search for", "option", "recipe-in").Hinted("give either recipe-in or a budget")
	case sizes > 0 && qualities > 0:
		return diag.New("OP2005", "a size and a quality exclude each other").
			Hinted("give one of size and bpw, or min-sqnr, min-agree and max-drop; --min-sqnr, --min-agree and --max-size check the result")
	case sizes > 1:
		return diag.New("OP2005", "size and bpw exclude each other", "found", fmt.Sprintf("size=%s and bpw=%g", o.Size, o.BPW))
	case o.TimeLimit < 0:
		return diag.New("OP2005", "bad value for option time-limit of pass mixed", "found", o.TimeLimit.String(), "wanted", "a time such as 90s or 5m")
	}
	return nil
}

// sizes counts the budgets of size.
func (o Options) sizes() (n int) {
	for _, set := range []bool{o.Size > 0, o.BPW > 0} {
		if set {
			n++
		}
	}
	return n
}

// qualities counts the budgets of quality.
func (o Options) qualities() (n int) {
	for _, set := range []bool{o.MinSQNR > 0, o.MinAgree > 0, o.MaxDrop > 0} {
		if set {
			n++
		}
	}
	return n
}

// withGates takes the gates of the run as budget where the options have none.
func (o Options) withGates(g passes.Gates) (Options, error) {
	if o.sizes()+o.qualities() > 0 || o.RecipeIn != "" {
		return o, nil
	}
	switch {
	case g.MaxSize != nil:
		o.Size = *g.MaxSize
	case g.MinSQNR != nil || g.MinAgree != nil:
		if g.MinSQNR != nil {
			o.MinSQNR = *g.MinSQNR
		}
		if g.MinAgree != nil {
			o.MinAgree = *g.MinAgree
		}
	}
	if o.sizes()+o.qualities() == 0 {
		return o, diag.New("OP2005", "mixed needs a budget").
			Hinted("for instance --set mixed.size=12MiB, mixed.bpw=4.5, mixed.min-sqnr=30, mixed.min-agree=99 or mixed.max-drop=1")
	}
	return o, nil
}

// text names the budget.
func (o Options) text() string {
	var out []string
	add := func(set bool, format string, v any) {
		if set {
			out = append(out, fmt.Sprintf(format, v))
		}
	}
	add(o.Size > 0, "size=%s", o.Size)
	add(o.BPW > 0, "bpw=%g", o.BPW)
	add(o.MinSQNR > 0, "min-sqnr=%g", o.MinSQNR)
	add(o.MinAgree > 0, "min-agree=%g", o.MinAgree)
	add(o.MaxDrop > 0, "max-drop=%g", o.MaxDrop)
	return strings.Join(out, " ")
}

// opset is the version that the forms want to be written in.
func (o Options) opset(t *target.Profile) int64 {
	names := o.Formats
	if len(names) == 0 {
		names = usual(t)
	}
	if slices.Contains(names, formInt4) {
		return opsetInt4
	}
	return 0
}

// opsetInt4 is the first version with tensors of 4-bit integers.
const opsetInt4 = 21
