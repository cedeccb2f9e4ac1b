package passes

import (
	"errors"
	"fmt"
)

// Validate checks the collection itself: names are unique, needs and
// constraints name passes that exist, option types can be parsed, and the
// constraints agree with the phases and with each other.
func (s Set) Validate() error {
	var errs []error
	byName := map[string]Pass{}
	for _, p := range s.Passes {
		if _, dup := byName[p.Name]; dup || p.Name == "" {
			errs = append(errs, fmt.Errorf("pass name %q is empty or used twice", p.Name))
		}
		byName[p.Name] = p
		errs = append(errs, p.validate()...)
	}
	for _, p := range s.Passes {
		for _, need := range p.Needs {
			q, ok := byName[need]
			if !ok || q.Phase > p.Phase {
				errs = append(errs, fmt.Errorf("pass %s needs %s, which does not exist or runs later", p.Name, need))
			}
		}
	}
	for _, o := range s.Order {
		a, okA := byName[o.Before]
		b, okB := byName[o.After]
		if !okA || !okB || a.Phase > b.Phase || o.Why == "" {
			errs = append(errs, fmt.Errorf("order %s before %s: unknown pass, against the phases, or without a reason", o.Before, o.After))
		}
		if s.mustPrecede(b, a) != "" {
			errs = append(errs, fmt.Errorf("order of %s and %s is required both ways", o.Before, o.After))
		}
	}
	return errors.Join(errs...)
}

func (p Pass) validate() (errs []error) {
	for _, o := range p.Options() {
		step, err := p.Default().Set(o.Name, unquote(o.Default))
		if err != nil {
			errs = append(errs, fmt.Errorf("pass %s: default of option %s is refused: %w", p.Name, o.Name, err))
		} else if err := step.validate(); err != nil {
			errs = append(errs, fmt.Errorf("pass %s: defaults are refused: %w", p.Name, err))
		}
		if o.Help == "" {
			errs = append(errs, fmt.Errorf("pass %s: option %s has no help", p.Name, o.Name))
		}
	}
	if p.Summary == "" || p.Doc == "" {
		errs = append(errs, fmt.Errorf("pass %s: no documentation", p.Name))
	}
	return errs
}
