package passes

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// The spec language of the -p flag:
//
//	list   = pass { "," pass }
//	pass   = NAME [ ":" option { "," option } ]
//	option = KEY "=" VALUE
//
// What stands first in an item decides: ":" starts a pass with options, "="
// makes it one more option of the pass before, neither is a pass without
// options. So values may hold ":" and "=".
//
// A VALUE ends at the next comma outside parentheses and double quotes. In
// quotes, \" and \\ stand for a quote and a backslash. A value that is one
// quoted string loses its quotes; everything else is taken as written. A list
// is written (a,b,"c,d").

// Parse reads pass lists. Several lists are read as one, in order. The steps
// carry the defaults of their pass with the given options set.
func Parse(known []Pass, lists ...string) ([]Step, error) {
	var steps []Step
	for _, list := range lists {
		items, err := splitTop(list)
		if err != nil {
			return nil, specError(list, err.Error())
		}
		for _, item := range items {
			if steps, err = addItem(known, steps, list, item); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range steps {
		if err := s.validate(); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// addItem appends a step, or sets an option of the last one.
func addItem(known []Pass, steps []Step, list, item string) ([]Step, error) {
	item = strings.TrimSpace(item)
	cut := strings.IndexAny(item, ":=")
	switch {
	case item == "":
		return nil, specError(list, "an empty item between commas")
	case cut < 0:
		p, err := Find(known, item)
		return append(steps, p.Default()), err
	case item[cut] == '=':
		if len(steps) == 0 {
			return nil, specError(list, fmt.Sprintf("option %q stands before any pass", item))
		}
		last := len(steps) - 1
		s, err := steps[last].with(list, item)
		steps[last] = s
		return steps, err
	}
	p, err := Find(known, strings.TrimSpace(item[:cut]))
	if err != nil {
		return nil, err
	}
	s, err := p.Default().with(list, item[cut+1:])
	return append(steps, s), err
}

// with sets the option "KEY=VALUE".
func (s Step) with(list, option string) (Step, error) {
	key, value, ok := strings.Cut(option, "=")
	if key = strings.TrimSpace(key); !ok || key == "" {
		return s, specError(list, fmt.Sprintf("%q is not KEY=VALUE", strings.TrimSpace(option)))
	}
	return s.Set(key, unquote(strings.TrimSpace(value)))
}

// Set returns the step with one option changed.
func (s Step) Set(key, value string) (Step, error) {
	o, err := s.Pass.Set(s.Options, key, value)
	if err != nil {
		return s, err
	}
	s.Options = o
	return s, nil
}

func (s Step) validate() error {
	if v, ok := s.Options.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// Assign applies PASS.KEY=VALUE settings (the --set flag) to steps. The value
// is taken whole: commas in it need no quotes.
func Assign(known []Pass, steps []Step, settings ...string) ([]Step, error) {
	steps = append([]Step(nil), steps...)
	for _, text := range settings {
		name, key, value, ok := cutSetting(text)
		if !ok {
			return nil, diag.New("OP2003", "a setting must be PASS.KEY=VALUE", "found", text).Hinted("for instance --set quant.range=mse")
		}
		if _, err := Find(known, name); err != nil {
			return nil, err
		}
		hit := false
		for i := range steps {
			if steps[i].Pass.Name != name {
				continue
			}
			s, err := steps[i].Set(key, unquote(value))
			if err != nil {
				return nil, err
			}
			steps[i], hit = s, true
		}
		if !hit {
			return nil, diag.New("OP2009", fmt.Sprintf("%s: pass %s does not run", text, name)).Hinted("add %s to -p", name)
		}
	}
	for _, s := range steps {
		if err := s.validate(); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func cutSetting(text string) (name, key, value string, ok bool) {
	left, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", "", false
	}
	name, key, ok = strings.Cut(strings.TrimSpace(left), ".")
	return name, key, strings.TrimSpace(value), ok && name != "" && key != ""
}

// Find returns the pass called name, or a usage error with the nearest names.
func Find(known []Pass, name string) (Pass, error) {
	names := make([]string, len(known))
	for i, p := range known {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	e := diag.New("OP2002", fmt.Sprintf("unknown pass %q", name), "passes", strings.Join(names, ", "))
	if near := diag.DidYouMean(name, names); near != "" {
		return Pass{}, e.Hinted("%s", near)
	}
	return Pass{}, e.Hinted("onnxpass passes explains them")
}

// String writes the step so that Parse gives it back: the options that differ from the defaults, in declaration order.
func (s Step) String() string {
	var b strings.Builder
	b.WriteString(s.Pass.Name)
	sep := byte(':')
	def, cur := reflect.ValueOf(s.Pass.defaults), reflect.ValueOf(s.Options)
	for _, o := range s.Pass.Options() {
		text := formatValue(cur.Field(o.field))
		if text == formatValue(def.Field(o.field)) {
			continue
		}
		b.WriteByte(sep)
		sep = ','
		b.WriteString(o.Name + "=" + text)
	}
	return b.String()
}

// Format writes steps as one list for Parse.
func Format(steps []Step) string {
	parts := make([]string, len(steps))
	for i, s := range steps {
		parts[i] = s.String()
	}
	return strings.Join(parts, ",")
}

// Names lists the steps' passes: "prune, quant".
func Names(steps []Step) string {
	parts := make([]string, len(steps))
	for i, s := range steps {
		parts[i] = s.Pass.Name
	}
	return strings.Join(parts, ", ")
}

func specError(list, what string) error {
	return diag.New("OP2003", "the pass list cannot be understood", "list", list, "found", what).
		Hinted("for instance: quant:range=mse,prune:macs=0.8")
}
