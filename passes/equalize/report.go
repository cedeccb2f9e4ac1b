package equalize

import "fmt"

// report writes down what was done to every tensor, or why not.
func (e *equalizer) report() {
	var folded, inserted int
	for _, c := range e.classes {
		for _, s := range c.sites {
			if c.factors == nil {
				e.env.Skip(s.readers[0].node, "input not equalized: "+c.why)
				continue
			}
			e.env.Plan(s.readers[0].node, "equalize input", c.detail(s))
		}
		switch {
		case c.factors == nil:
		case c.node():
			inserted++
		default:
			folded++
		}
	}
	moved := 0
	for _, c := range e.centres {
		if c.shift != 0 {
			moved++
			e.env.Plan(c.site.readers[0].node, "centre input", fmt.Sprintf("%s moved by %.4g", c.site.value.Name(), -c.shift))
		}
	}
	if r := e.env.Report; r != nil && moved > 0 {
		r.Fact("activations centred", "%d", moved)
	}
	if r := e.env.Report; r != nil {
		r.Fact("activations equalized", "%d in weights, %d with a Mul", folded, inserted)
	}
}

// detail says for people what was done.
func (c *class) detail(s *site) string {
	how := "folded into weights"
	switch {
	case c.insert:
		how = "Mul inserted"
	case len(c.gates) > 0:
		how = "folded, Mul before the gate"
	}
	return fmt.Sprintf("%s: %s, alpha %g, largest to median channel %.1f, estimated noise %.1f dB lower", s.value.Name(), how, c.alpha, c.ratio, c.gain())
}
