package mixed

import (
	"context"
	"fmt"
	"math"

	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
)

// stampBytes are left for what a run writes into the metadata of the file.
const stampBytes = 2 << 10

// sizeTries bounds how often the assignment is made again because the file came out larger than its parts.
const sizeTries = 4

// clearly is by how many decades of loss, half a decibel, one form in all layers
// has to be better than the mixture: the order in which layers are rounded moves both by as much.
const clearly = 0.05

// keepSize looks for the best assignment within a size.
func (m *mixer) keepSize(ctx context.Context) (*trial, error) {
	best, err := m.fit(ctx)
	if err != nil || !m.opt.Uniform || len(best.found) == 0 {
		return best, err
	}
	for f := range m.forms {
		pick := m.only(f)
		if m.over() || m.ladder.total(pick).bytes > m.limit() || m.forms[f].format == nil {
			continue
		}
		t, err := m.try(ctx, pick, m.forms[f].name)
		if err != nil {
			return nil, err
		}
		if m.larger(t) <= 0 && (m.uniform == nil || t.score < m.uniform.score) {
			m.uniform = t
		}
	}
	if m.uniform != nil && m.uniform.score < best.score-clearly {
		return m.uniform, nil
	}
	return best, nil
}

// fit is the assignment of least expected damage whose file keeps the budget.
func (m *mixer) fit(ctx context.Context) (*trial, error) {
	limit := m.limit()
	for range sizeTries {
		pick, ok := m.ladder.within(limit)
		if !ok {
			return nil, m.tooLarge(pick)
		}
		t, err := m.try(ctx, pick, "")
		if err != nil {
			return nil, err
		}
		more := m.larger(t)
		if more <= 0 {
			return t, nil
		}
		limit = min(limit, m.ladder.total(pick).bytes) - more
	}
	return nil, m.tooLarge(m.ladder.base)
}

// limit is what the weights may take by the budget, nodes and names included.
func (m *mixer) limit() int64 {
	if m.opt.Size > 0 {
		return int64(m.opt.Size) - stampBytes - m.rest
	}
	return int64(m.opt.BPW * float64(m.elements()) / 8)
}

// larger is how many bytes a stored assignment is above the budget.
func (m *mixer) larger(t *trial) int64 {
	if m.opt.Size > 0 {
		return t.bytes + stampBytes - int64(m.opt.Size)
	}
	return t.stored - int64(m.opt.BPW*float64(m.elements())/8)
}

// only is the assignment of one form, or of the next wider choice where a group cannot have it.
func (m *mixer) only(f int) []int {
	out := make([]int, len(m.groups))
	for k, g := range m.groups {
		best := -1
		for i, own := range g.forms {
			switch {
			case own == f:
				best = i
			case best < 0 || g.forms[best] != f && own <= f && own > g.forms[best]:
				best = i
			}
			if own == f {
				break
			}
		}
		out[k] = best
	}
	return out
}

// tooLarge says that no assignment meets the size, and what the smallest one takes.
func (m *mixer) tooLarge(pick []int) error {
	sum := m.ladder.total(pick).bytes
	found := passes.Bytes(sum+m.rest+stampBytes) + " in the smallest forms"
	if m.opt.BPW > 0 {
		found = fmt.Sprintf("%.2f bits per weight in the smallest forms", 8*float64(sum)/float64(m.elements()))
	}
	return m.missed(found)
}

// missed is the error of a budget that cannot be kept.
func (m *mixer) missed(found string) error {
	e := diag.New("OP4020", "the budget of mixed cannot be kept", "budget", m.opt.text(), "closest", found).
		Hinted("allow more, or more forms: --set mixed.formats=%s", "(fp32,int8,codebook16,codebook4)")
	return &passes.GateError{Failed: []*diag.Error{e}}
}

// keepQuality looks for the smallest assignment that keeps the quality.
func (m *mixer) keepQuality(ctx context.Context) (*trial, error) {
	f := &probe.Family{Len: len(m.ladder.steps) + 1, Attempts: m.opt.Attempts, Over: m.over,
		Noise: func(n int) float64 { return m.ladder.total(m.ladder.at(n)).damage },
		Try: func(ctx context.Context, n int) (float64, error) {
			t, err := m.try(ctx, m.ladder.at(n), "")
			if err != nil {
				return 0, err
			}
			m.env.Advance("fit to the budget", len(m.trials), m.opt.Attempts)
			return m.excess(t), nil
		}}
	n, ok, err := f.Least(ctx, m.rung())
	if err != nil {
		return nil, err
	}
	best, err := m.try(ctx, m.ladder.at(n), "")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, m.missed(m.quality(best))
	}
	if best, err = m.tighten(ctx, best); err != nil {
		return nil, err
	}
	return m.smaller(ctx, best)
}

// tighten spends what an assignment has to spare, beyond the steps of the
// ladder: the bytes of the damage that is allowed if noise grows with it.
func (m *mixer) tighten(ctx context.Context, best *trial) (*trial, error) {
	spare := m.excess(best)
	for range 2 {
		damage := m.ladder.total(best.pick).damage
		pick := m.ladder.under(damage / max(spare, 1e-6))
		if m.over() || m.ladder.total(pick).bytes >= m.ladder.total(best.pick).bytes {
			return best, nil
		}
		t, err := m.try(ctx, pick, "")
		if err != nil {
			return nil, err
		}
		if m.excess(t) <= 1 {
			return t, nil
		}
		spare = math.Sqrt(spare) // half as much, in decibels
	}
	return best, nil
}

// forecastFactor is by how much joint noise is taken to exceed the sum of what layers make alone.
const forecastFactor = 1.5

// rung is the rung on which the SQNR should be right, or the middle of the ladder for other budgets.
func (m *mixer) rung() int {
	if m.opt.MinSQNR == 0 {
		return len(m.ladder.steps) / 2
	}
	allowed := math.Pow(10, -m.opt.MinSQNR/10)
	for n := range len(m.ladder.steps) {
		if forecastFactor*m.noise(m.ladder.at(n)) <= allowed {
			return n
		}
	}
	return len(m.ladder.steps)
}

// noise is the expected relative noise of an assignment in the output where it is worst.
func (m *mixer) noise(pick []int) float64 {
	var worst float64
	for o := range m.probes.Outputs {
		var sum float64
		for k, g := range m.groups {
			if a := g.near(pick[k]); a.measured {
				sum += a.noise[o] * g.ratio(a, pick[k])
			}
		}
		worst = max(worst, sum)
	}
	return worst
}

// smaller takes a uniform assignment that keeps the quality in fewer bytes, where there is one.
func (m *mixer) smaller(ctx context.Context, best *trial) (*trial, error) {
	for f := range m.forms {
		pick := m.only(f)
		if !m.opt.Uniform || m.over() || m.forms[f].format == nil || m.ladder.total(pick).bytes >= m.ladder.total(best.pick).bytes {
			continue
		}
		t, err := m.try(ctx, pick, m.forms[f].name)
		if err != nil {
			return nil, err
		}
		if m.uniform == nil || t.score < m.uniform.score {
			m.uniform = t
		}
		if m.excess(t) <= 1 && t.bytes < best.bytes {
			best = t
		}
	}
	return best, nil
}

// quality says what an assignment reaches.
func (m *mixer) quality(t *trial) string {
	out := fmt.Sprintf("SQNR %.1f dB", m.worst(t))
	if pct, ok := m.agree(t); ok {
		out += fmt.Sprintf(", %.2f %% of the predictions equal", pct)
	}
	if t.accuracy != nil {
		out += fmt.Sprintf(", accuracy %.2f %% (%.2f %% before)", t.accuracy.After, t.accuracy.Before)
	}
	return out + fmt.Sprintf(" on %d samples with %.2f bits per weight", m.judged(), m.bits(t))
}
