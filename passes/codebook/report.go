package codebook

import (
	"compress/flate"
	"fmt"
	"io"
	"strconv"

	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/weights"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// tally adds up what the report says.
type tally struct {
	stored, exact, clipped, unjudged int
	elements, before, after          int64
	how                              map[string]int
}

// entry writes down what becomes of a weight.
func (p *plan) entry(it *weights.Item) {
	n, r := it.Node(), p.env.Report
	e := passes.Layer{
		Name: nodeName(it), Op: n.Op(), Output: output(it), Dtype: it.Const.Type.String(), DtypeBefore: it.Const.Type.String(),
		Activation: it.Const.Type.String(), Weight: it.Const.Type.String(), Reason: it.Why,
		Params: int64(it.Elements()), BytesBefore: it.Bytes(), BytesAfter: it.Bytes(),
	}
	if it.Why != "" {
		p.env.Skip(n, "the weight stays: "+it.Why)
		r.Layers = append(r.Layers, e)
		return
	}
	sqnr := it.SQNR
	e.Weight, e.BytesAfter, e.WeightSQNR = palette.Describe(it.Coding), it.Coding.Bytes(), &sqnr
	if it.Judged {
		before, after := it.Before, it.After
		e.Rebuilt = &passes.Rebuilt{How: it.How, Before: &before, After: &after}
	}
	p.count(it, e)
	p.env.Plan(n, "store as codes", e.Weight)
	r.Layers = append(r.Layers, e)
}

func (p *plan) count(it *weights.Item, e passes.Layer) {
	if p.how == nil {
		p.how = map[string]int{}
	}
	p.stored, p.before, p.after, p.elements = p.stored+1, p.before+e.BytesBefore, p.after+e.BytesAfter, p.elements+e.Params
	switch {
	case palette.Exact(it.Coding):
		p.exact++
	case p.walked != nil && it.Kind == weights.Product && !it.Judged && p.opt.Feedback:
		p.unjudged++
	}
	if palette.Exact(it.Coding) && !p.opt.Unique {
		p.clipped++
	}
	p.how[it.How]++
}

// large is the number of elements from which putting weights together at load is worth a word.
const large = 16 << 20

// finish writes the figures of all weights.
func (p *plan) finish() error {
	r := p.env.Report
	r.Fact("weights stored as codes", "%d of %d", p.stored, len(p.items))
	if p.exact > 0 {
		r.Fact("of these exactly", "%d, with no more distinct values than entries", p.exact)
	}
	if p.walked != nil && p.walked.Layers > 0 {
		r.Fact("layers clustered on samples", "%s", fmt.Sprintf("%d of %d, on %d samples (%d by least squares, %d with error feedback)",
			p.how[weights.HowRefit]+p.how[weights.HowFeedback], p.walked.Layers, p.walked.Samples, p.how[weights.HowRefit], p.how[weights.HowFeedback]))
	}
	if p.unjudged > 0 {
		p.env.Note("OP8075", "weights were clustered without error feedback", "weights", strconv.Itoa(p.unjudged)).
			Hinted("give more samples")
	}
	if p.opt.between() && p.stored > 0 {
		r.Fact("codes", "%d entries take as much room as the next of 4, 16 or 256; the rest helps a compressed download only", p.opt.entries())
	}
	if p.elements >= large && !p.target.Weights.Unfolded {
		r.Fact("at load", "the runtime puts %d M weights together, which takes about %d MiB more while it loads the file", p.elements>>20, p.elements*8>>20)
	}
	if p.before > 0 {
		r.Fact("bytes of these weights", "%d -> %d (%.1f %%)", p.before, p.after, 100*float64(p.after)/float64(p.before))
	}
	if p.env.DryRun || p.stored == 0 {
		return nil
	}
	if err := p.env.Model.Main.Sort(); err != nil {
		return err
	}
	return p.deflated()
}

// deflated says what the codes, tables and scales take in an archive.
func (p *plan) deflated() error {
	var raw, packed int64
	for _, t := range palette.Constants(palette.Find(p.env.Model)) {
		b, err := t.Data.Bytes()
		if err != nil {
			return err
		}
		n, err := deflatedSize(b)
		if err != nil {
			return err
		}
		raw, packed = raw+int64(len(b)), packed+n
	}
	p.env.Report.Fact("codes, tables and scales", "%d bytes, deflated %d", raw, packed)
	return nil
}

// counter counts what is written to it.
type counter int64

// Write counts.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

var _ io.Writer = (*counter)(nil)

func deflatedSize(b []byte) (int64, error) {
	var n counter
	w, err := flate.NewWriter(&n, flate.DefaultCompression)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(b); err != nil {
		return 0, err
	}
	err = w.Close()
	return int64(n), err
}

func nodeName(it *weights.Item) string {
	if n := it.Node().Name(); n != "" {
		return n
	}
	return output(it)
}

func output(it *weights.Item) string {
	for _, v := range it.Node().Outs() {
		if v != nil {
			return v.Name()
		}
	}
	return ""
}
