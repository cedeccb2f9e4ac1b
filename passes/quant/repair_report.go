package quant

import (
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/passes"
)

// reportRepair writes down what rebuilding made of the layers.
func (p *planner) reportRepair() {
	if p.repairs() {
		p.reportSaturation(p.env.Report)
	}
	if len(p.walked) == 0 {
		return
	}
	entries := map[string]*passes.Layer{}
	for i := range p.env.Report.Layers {
		entries[p.env.Report.Layers[i].Output] = &p.env.Report.Layers[i]
	}
	count, biases := map[string]int{}, 0
	for _, l := range p.walked {
		count[l.how]++
		if l.shift != nil {
			biases++
		}
		if e := entries[l.node.Out(0).Name()]; e != nil && l.how != "" {
			e.Rebuilt, e.WeightSQNR = l.report(), finite(l.weight.sqnr)
		}
	}
	p.env.Report.Fact("layers rebuilt", "%s", rebuiltText(count, len(p.walked), p.walkedOn))
	if biases > 0 {
		p.env.Report.Fact("biases corrected", "%d", biases)
	}
}

// rebuiltText counts layers by what was chosen for them.
func rebuiltText(count map[string]int, all, samples int) string {
	refit, feedback := count[recipeRefit], count[recipeFeedback]
	unit := "samples"
	if samples == 1 {
		unit = "sample"
	}
	text := fmt.Sprintf("%d of %d on %d %s", refit+feedback, all, samples, unit)
	if refit+feedback == 0 {
		return text
	}
	return text + fmt.Sprintf(" (%d by least squares, %d by rounding with error feedback)", refit, feedback)
}

// report is how the layer was rebuilt, with the mean squared error of an output element before and after.
func (l *rebuilt) report() *passes.Rebuilt {
	out := &passes.Rebuilt{How: l.how}
	if l.judged {
		n := float64(l.matrix.Channels())
		out.Before, out.After = finite(l.before/n), finite(l.after/n)
	}
	return out
}

// ratio is that of the energies of a signal and of what is added to it, in dB.
func ratio(signal, noise []float32) float64 {
	var s, n float64
	for i, v := range signal {
		s += float64(v) * float64(v)
		n += float64(noise[i]) * float64(noise[i])
	}
	return 10 * math.Log10(s/n)
}
