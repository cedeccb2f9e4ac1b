package calib

// Meter compares arrays with reference arrays, sample after sample, where a
// caller holds both: CompareSessions runs two models and does the same.
type Meter struct {
	c       *comparer
	samples int
}

// NewMeter is a meter for outputs like these. Where logits is true the
// divergence is measured as well; it may be shorter than outputs, or nil.
func NewMeter(outputs []Port, logits []bool) *Meter {
	return &Meter{c: &comparer{ports: outputs, rows: make([]row, len(outputs)), limit: 5, logit: logits}}
}

// NewPlainMeter is a meter for inner values, of which the argmax says nothing.
func NewPlainMeter(outputs []Port) *Meter {
	m := NewMeter(outputs, nil)
	m.c.plain = true
	return m
}

// Add compares the outputs of one sample; ref and out are in the order of NewMeter's ports.
func (m *Meter) Add(sample string, ref, out []Array) error {
	m.samples++
	return m.c.add(sample, ref, out)
}

// Comparison is what was found so far.
func (m *Meter) Comparison() *Comparison { return m.c.result(max(m.samples, 1)) }
