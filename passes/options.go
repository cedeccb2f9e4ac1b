package passes

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// Option describes one option of a pass, for help and for look-up.
type Option struct {
	Name    string   `json:"name"`              // as written in a spec
	Type    string   `json:"type"`              // "int", "float", "bool", "string", "duration", "size", "list"
	Default string   `json:"default"`           // as it would be written in a spec
	Help    string   `json:"help"`              // the field's help tag
	Choices []string `json:"choices,omitempty"` // what a string may be; nil: anything

	field    int
	min, max string // bounds of numbers, from the tags of these names; empty: none
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
)

// Options lists the options of p in the order of its struct.
func (p Pass) Options() []Option {
	t := reflect.TypeOf(p.defaults)
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	v := reflect.ValueOf(p.defaults)
	var out []Option
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get("opt") == "-" {
			continue
		}
		o := Option{Name: f.Tag.Get("opt"), Type: typeName(f.Type), Help: f.Tag.Get("help"), field: i,
			min: f.Tag.Get("min"), max: f.Tag.Get("max")}
		if o.Name == "" {
			o.Name = kebab(f.Name)
		}
		if c := f.Tag.Get("choices"); c != "" {
			o.Choices = strings.Split(c, "|")
		}
		o.Default = formatValue(v.Field(i))
		out = append(out, o)
	}
	return out
}

// Defaults is the Options struct that p runs with when nothing is set.
func (p Pass) Defaults() any { return p.defaults }

// Default is the step that runs p with its defaults.
func (p Pass) Default() Step { return Step{Pass: p, Options: p.defaults} }

// Validator is implemented by Options structs that check what one field's
// tags cannot say. The error should be a *diag.Error of code OP2005.
type Validator interface{ Validate() error }

// Set returns a copy of options (a value of p's Options struct) with one option changed.
func (p Pass) Set(options any, key, value string) (any, error) {
	opts := p.Options()
	for _, o := range opts {
		if o.Name != key {
			continue
		}
		v := reflect.New(reflect.TypeOf(options)).Elem()
		v.Set(reflect.ValueOf(options))
		if err := o.parse(v.Field(o.field), value); err != nil {
			return nil, p.badValue(o, value, err)
		}
		return v.Interface(), nil
	}
	return nil, p.unknownOption(key, opts)
}

func (p Pass) unknownOption(key string, opts []Option) error {
	names := make([]string, len(opts))
	for i, o := range opts {
		names[i] = o.Name
	}
	e := diag.New("OP2004", fmt.Sprintf("pass %s has no option %q", p.Name, key))
	if len(names) == 0 {
		return e.Hinted("%s takes no options", p.Name)
	}
	if near := diag.DidYouMean(key, names); near != "" {
		return e.With("options", strings.Join(names, ", ")).Hinted("%s", near)
	}
	return e.With("options", strings.Join(names, ", ")).Hinted("onnxpass passes %s explains them", p.Name)
}

func (p Pass) badValue(o Option, value string, cause error) error {
	e := diag.New("OP2005", fmt.Sprintf("bad value for option %s of pass %s", o.Name, p.Name),
		"found", strconv.Quote(value), "wanted", cause.Error(), "default", o.Default)
	if near := diag.DidYouMean(value, o.Choices); near != "" {
		e.Hinted("%s", near)
	}
	return e
}

// parse sets v from text. Its error says what is wanted.
func (o Option) parse(v reflect.Value, text string) error {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("a duration such as 90s or 2m30s")
		}
		v.SetInt(int64(d))
	case v.Type() == sizeType:
		n, err := ParseSize(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	default:
		return o.parseKind(v, text)
	}
	return nil
}

func (o Option) parseKind(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil || !o.inBounds(float64(n)) {
			return fmt.Errorf("an integer%s", o.bounds())
		}
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || !o.inBounds(f) {
			return fmt.Errorf("a number%s", o.bounds())
		}
		v.SetFloat(f)
	case reflect.String:
		if o.Choices != nil && !slices.Contains(o.Choices, text) {
			return fmt.Errorf("one of %s", strings.Join(o.Choices, ", "))
		}
		v.SetString(text)
	case reflect.Slice:
		return o.parseList(v, text)
	default:
		return fmt.Errorf("nothing: fields of type %s cannot be options", v.Type())
	}
	return nil
}

func (o Option) parseList(v reflect.Value, text string) error {
	words, err := splitList(text)
	if err != nil {
		return err
	}
	if o.Choices != nil {
		for _, w := range words {
			if !slices.Contains(o.Choices, w) {
				return fmt.Errorf("a list of %s", strings.Join(o.Choices, ", "))
			}
		}
	}
	v.Set(reflect.ValueOf(words).Convert(v.Type()))
	return nil
}

func (o Option) inBounds(f float64) bool {
	lo, errLo := strconv.ParseFloat(o.min, 64)
	hi, errHi := strconv.ParseFloat(o.max, 64)
	return (errLo != nil || f >= lo) && (errHi != nil || f <= hi)
}

// bounds is the end of "a number ...".
func (o Option) bounds() string {
	switch {
	case o.min != "" && o.max != "":
		return " from " + o.min + " to " + o.max
	case o.min != "":
		return " not below " + o.min
	case o.max != "":
		return " not above " + o.max
	}
	return ""
}

// Allowed says what values the option takes, for help: "minmax|mse", "float 50..100".
func (o Option) Allowed() string {
	if o.Choices != nil {
		return strings.Join(o.Choices, "|")
	}
	if o.min != "" || o.max != "" {
		return o.Type + " " + o.min + ".." + o.max
	}
	return o.Type
}

// formatValue writes v as a spec value that parse reads back.
func formatValue(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return time.Duration(v.Int()).String()
	case v.Type() == sizeType:
		return Size(v.Int()).String()
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	case reflect.String:
		return quoteWord(v.String())
	case reflect.Slice:
		words := make([]string, v.Len())
		for i := range words {
			words[i] = quoteWord(v.Index(i).String())
		}
		return "(" + strings.Join(words, ",") + ")"
	}
	return fmt.Sprint(v.Interface())
}

func typeName(t reflect.Type) string {
	switch t {
	case durationType:
		return "duration"
	case sizeType:
		return "size"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.String:
		return "string"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "list"
		}
	}
	return "unsupported " + t.String()
}

// kebab turns PerChannel into per-channel and MinSQNR into min-sqnr.
func kebab(name string) string {
	var b strings.Builder
	r := []rune(name)
	for i, c := range r {
		if unicode.IsUpper(c) {
			afterLower := i > 0 && !unicode.IsUpper(r[i-1])
			endsAcronym := i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1])
			if afterLower || endsAcronym {
				b.WriteByte('-')
			}
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
}
