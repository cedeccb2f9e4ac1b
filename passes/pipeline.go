package passes

import (
	"fmt"
	"slices"
	"sort"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes/target"
)

// Order is a constraint between two passes of one pipeline, as data.
type Order struct {
	Before, After string // names of passes
	Why           string // "pruning changes the ranges that quant measures"
}

// Set is a collection of passes that can be combined.
type Set struct {
	Passes []Pass
	Order  []Order
}

// Pipeline is a list of steps in the order they run.
type Pipeline struct {
	Steps  []Step
	Asked  []Step            // as the user wrote them
	Pulled map[string]string // pass that was added -> pass that needs it, or that it completes
	Notes  []*diag.Error     // what --keep-order overrode

	// Check examines the model after every step; an error is blamed on the
	// step. Nil checks nothing.
	Check func(*graph.Model) error
}

// PipelineOptions steer how steps are arranged.
type PipelineOptions struct {
	KeepOrder bool // run in the order given
	NoPrep    bool // do not pull in what passes need, or what follows them
	Target    *target.Profile
}

// Arrange makes a pipeline of the steps the user asked for: passes that others
// need are pulled in, then all are sorted by phase and, within a phase, by the
// order constraints and the order asked for.
func (s Set) Arrange(asked []Step, o PipelineOptions) (*Pipeline, error) {
	p := &Pipeline{Asked: asked, Pulled: map[string]string{}}
	if !o.KeepOrder {
		if err := noDuplicates(asked); err != nil {
			return nil, err
		}
	}
	steps := asked
	if !o.NoPrep {
		var err error
		if steps, err = s.follow(asked, o.Target, p.Pulled); err != nil {
			return nil, err
		}
		if steps, err = s.pull(steps, p.Pulled); err != nil {
			return nil, err
		}
	}
	if o.KeepOrder {
		p.Steps = steps
		p.Notes = s.violations(steps)
		return p, nil
	}
	p.Steps = s.sorted(steps)
	return p, nil
}

func noDuplicates(steps []Step) error {
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.Pass.Name] {
			return diag.New("OP2006", fmt.Sprintf("pass %s is named twice", s.Pass.Name)).
				Hinted("--keep-order takes the list as it is")
		}
		seen[s.Pass.Name] = true
	}
	return nil
}

// follow adds behind each step the pass that completes it for the target.
func (s Set) follow(asked []Step, t *target.Profile, pulled map[string]string) ([]Step, error) {
	out := asked
	for _, st := range asked {
		if st.Pass.Follow == nil || t == nil {
			continue
		}
		names := st.Pass.Follow(st.Options, t)
		if len(names) == 0 || slices.ContainsFunc(out, func(o Step) bool { return slices.Contains(names, o.Pass.Name) }) {
			continue
		}
		p, err := Find(s.Passes, names[0])
		if err != nil {
			return nil, fmt.Errorf("pass %s is followed by: %w", st.Pass.Name, err)
		}
		pulled[p.Name] = st.Pass.Name
		out = append(slices.Clone(out), p.Default())
	}
	return out, nil
}

// opset is the latest version of the operator set that a step wants, 0 when none says.
func (p *Pipeline) opset(t *target.Profile) int64 {
	var version int64
	for _, st := range p.Steps {
		if st.Pass.Opset != nil {
			version = max(version, st.Pass.Opset(st.Options, t))
		}
	}
	return version
}

// pull inserts what each step needs before it, unless it is in the list already.
func (s Set) pull(asked []Step, pulled map[string]string) ([]Step, error) {
	have := map[string]bool{}
	for _, st := range asked {
		have[st.Pass.Name] = true
	}
	var out []Step
	var settings []string
	var add func(p Pass) error
	add = func(p Pass) error {
		for _, need := range p.Needs {
			if have[need] {
				continue
			}
			have[need] = true
			q, err := Find(s.Passes, need)
			if err != nil {
				return fmt.Errorf("pass %s needs: %w", p.Name, err)
			}
			pulled[need] = p.Name
			if err := add(q); err != nil {
				return err
			}
			step, err := prepared(s.Passes, q.Default(), settings)
			if err != nil {
				return err
			}
			out = append(out, step)
		}
		return nil
	}
	for _, st := range asked {
		settings = nil
		if st.Pass.Prepare != nil {
			settings = st.Pass.Prepare(st.Options)
		}
		if err := add(st.Pass); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// prepared applies those settings to a step that are about its pass.
func prepared(known []Pass, step Step, settings []string) (Step, error) {
	for _, text := range settings {
		if name, _, _, ok := cutSetting(text); !ok || name != step.Pass.Name {
			continue
		}
		steps, err := Assign(known, []Step{step}, text)
		if err != nil {
			return step, err
		}
		step = steps[0]
	}
	return step, nil
}

// sorted orders by phase, then repeatedly takes the first step that no other waiting step of its phase must precede.
func (s Set) sorted(steps []Step) []Step {
	rest := append([]Step(nil), steps...)
	sort.SliceStable(rest, func(i, j int) bool { return rest[i].Pass.Phase < rest[j].Pass.Phase })
	out := make([]Step, 0, len(rest))
	for len(rest) > 0 {
		i := s.firstFree(rest)
		out = append(out, rest[i])
		rest = append(rest[:i], rest[i+1:]...)
	}
	return out
}

// firstFree is the first step of the leading phase that nothing waiting must precede; 0 when the constraints contradict each other.
func (s Set) firstFree(rest []Step) int {
	for i, st := range rest {
		if st.Pass.Phase != rest[0].Pass.Phase {
			break
		}
		free := true
		for j, other := range rest {
			if j != i && s.mustPrecede(other.Pass, st.Pass) != "" {
				free = false
			}
		}
		if free {
			return i
		}
	}
	return 0
}

// mustPrecede is the reason why a must run before b, empty when there is none.
func (s Set) mustPrecede(a, b Pass) string {
	for _, o := range s.Order {
		if o.Before == a.Name && o.After == b.Name {
			return o.Why
		}
	}
	for _, need := range b.Needs {
		if need == a.Name {
			return b.Name + " works on what " + a.Name + " leaves"
		}
	}
	return ""
}

// violations notes every pair that --keep-order leaves in the wrong order.
func (s Set) violations(steps []Step) []*diag.Error {
	var out []*diag.Error
	for i, a := range steps {
		for _, b := range steps[i+1:] {
			why := s.mustPrecede(b.Pass, a.Pass)
			if why == "" && b.Pass.Phase < a.Pass.Phase {
				why = fmt.Sprintf("the %s phase comes before the %s phase", b.Pass.Phase, a.Pass.Phase)
			}
			if why != "" {
				out = append(out, diag.New("OP8005", fmt.Sprintf("%s runs before %s", a.Pass.Name, b.Pass.Name), "why", why).
					Hinted("leave --keep-order out"))
			}
		}
	}
	return out
}
