package mixed

import (
	"context"
	"errors"
	"time"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/probe"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// passName is what created nodes say in their metadata.
const passName = "mixed"

// Pass chooses forms of weights.
var Pass = passes.New(passes.Info{
	Name:    "mixed",
	Summary: "a storage format for every layer's weights, chosen by measurement for a size or a quality",
	Doc: `Stores the weights of Conv, ConvTranspose, Gemm, MatMul, Gather tables and recurrent layers in forms of different size: int8,
4-bit tables and others (formats). One budget says what is wanted: size or bpw for the best quality within a size; min-sqnr, min-agree or max-drop
for the smallest file of a quality. Without one the gates of the run are the budget.

With samples, one form is tried in every group of weights alone and its effect on the outputs measured; other forms follow by the error of the
weights. The assignment of least damage for the bytes is stored with error feedback, refitted scales and corrected biases, and judged end to end,
beside uniform assignments of the same budget: the best is taken. Without samples, random inputs are tried, which says little; without a runtime, forms are
chosen by the error of the weights, with first and last layers in 8 bits.

A budget that cannot be met fails like a gate (exit 4) and says what comes closest. recipe-out writes the assignment, recipe-in repeats it.`,
	Phase: passes.Storage,
	Needs: []string{"opset", "cleanup"},
	Opset: func(o any, t *target.Profile) int64 { return o.(Options).opset(t) },
}, defaults, run)

func run(ctx context.Context, env *passes.Env, o Options) error {
	o, err := o.withGates(env.Gates)
	if err != nil {
		return err
	}
	m := &mixer{env: env, opt: o, start: time.Now(), target: env.Target}
	if m.target == nil {
		m.target = target.Lookup("portable")
	}
	if err := o.check(m.target); err != nil {
		return err
	}
	m.forms = formsOf(o.Formats, m.target, m.threads())
	m.nodes = make([]int64, len(m.forms))
	m.gather()
	if env.DryRun || len(m.found) == 0 {
		m.plan()
		return nil
	}
	best, err := m.choose(ctx)
	if err != nil {
		return err
	}
	return m.adopt(best)
}

// mixer is one run of the pass.
type mixer struct {
	env    *passes.Env
	opt    Options
	target *target.Profile
	start  time.Time

	forms  []form
	found  []*weights.Weight
	groups []*group
	rest   int64   // bytes of the file that are not weights
	nodes  []int64 // bytes of names and nodes for each weight, by form

	calib   *calib.Calibration // what probes run on; nil: nothing
	weak    string             // why probes say little; empty: they do not
	probes  *probe.Report
	judges  []*probe.Judge // of calibration samples, and of held-out ones
	ladder  *ladder
	trials  []*trial
	uniform *trial // the best of one form
}

func (m *mixer) threads() int {
	if m.env.Calib != nil {
		return m.env.Calib.Threads
	}
	return 0
}

// choose finds the assignment, or repeats one.
func (m *mixer) choose(ctx context.Context) (*trial, error) {
	if m.opt.RecipeIn != "" {
		return m.repeat(ctx)
	}
	if m.opt.qualities() > 0 && m.env.Calib == nil {
		return nil, diag.New("OP6001", "a budget of quality needs samples").
			Hinted("give real inputs with -d, or a size instead: --set mixed.size=12MiB")
	}
	if err := m.weigh(ctx); err != nil {
		return nil, err
	}
	if err := m.measure(ctx); err != nil {
		return nil, err
	}
	m.ladder = newLadder(m.menus())
	if m.opt.qualities() > 0 {
		return m.keepQuality(ctx)
	}
	return m.keepSize(ctx)
}

// over says whether the time for the search is up, with one more trial.
func (m *mixer) over() bool {
	if m.opt.TimeLimit == 0 {
		return false
	}
	var next time.Duration
	for _, t := range m.trials {
		next = max(next, t.took)
	}
	return time.Since(m.start)+next > m.opt.TimeLimit
}

// menus are the choices of every group, as the ladder wants them.
func (m *mixer) menus() [][]choice {
	out := make([][]choice, len(m.groups))
	for k, g := range m.groups {
		for i, f := range g.forms {
			bytes := g.bytes[i]
			if f >= 0 && m.opt.BPW == 0 {
				bytes += m.nodes[f] * int64(len(g.weights))
			}
			out[k] = append(out[k], choice{bytes, g.expected(i)})
		}
	}
	return out
}

// adopt makes a trial the result of the pass.
func (m *mixer) adopt(t *trial) error {
	m.env.Model = t.model
	m.report(t)
	return errors.Join(m.env.Model.Main.Sort(), m.writeRecipe(t))
}
