package mixed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

// recipeSchema names the JSON form of a recipe.
const recipeSchema = "onnxpass.recipe/1"

// maxRecipe bounds the size of a recipe file.
const maxRecipe = 64 << 20

// recipe is an assignment of forms to the weights of one model.
type recipe struct {
	Schema string        `json:"schema"`
	Model  string        `json:"model"`  // digest of the weights
	Target string        `json:"target"` //
	Budget string        `json:"budget"` // that it was made for
	Bits   float64       `json:"bits_per_weight"`
	Layers []recipeLayer `json:"layers"`
}

// recipeLayer is one weight.
type recipeLayer struct {
	Weight string  `json:"weight"` // name of the tensor
	Node   string  `json:"node"`   // that reads it
	Op     string  `json:"op"`
	Form   string  `json:"form"`
	Damage float64 `json:"damage"` // expected, in units of what all weights do in the form that was tried first
}

// digest identifies the weights: names, types, sizes and elements.
func (m *mixer) digest() (string, error) {
	h := sha256.New()
	for _, w := range m.found {
		fmt.Fprintf(h, "%q %d %d\n", w.Value.Name(), w.Const.Type, w.Const.Dims)
		raw, err := w.Const.Raw()
		if err != nil {
			return "", fmt.Errorf("weight %s: %w", w.Value.Name(), err)
		}
		h.Write(raw)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// formName is the form of a choice as recipes name it.
func (m *mixer) formName(g *group, choice int) string {
	if f := g.form(choice); f >= 0 {
		return m.forms[f].name
	}
	return formFP32
}

// writeRecipe writes the assignment, when the options ask for it.
func (m *mixer) writeRecipe(t *trial) error {
	if m.opt.RecipeOut == "" {
		return nil
	}
	sum, err := m.digest()
	if err != nil {
		return err
	}
	r := recipe{Schema: recipeSchema, Model: sum, Target: m.target.Name, Budget: m.opt.text(), Bits: m.bits(t), Layers: make([]recipeLayer, len(m.found))}
	for k, g := range m.groups {
		for _, i := range g.weights {
			n := m.found[i].Node()
			r.Layers[i] = recipeLayer{m.found[i].Value.Name(), n.Label(), n.Op(), m.formName(g, t.pick[k]), g.expected(t.pick[k])}
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(m.opt.RecipeOut, append(text, '\n'), 0o666)
	}
	if err != nil {
		return diag.New("OP1002", "the recipe cannot be written", "file", m.opt.RecipeOut).Wrap(err)
	}
	return nil
}

// readRecipe reads and checks the file.
func (m *mixer) readRecipe() (*recipe, error) {
	path := m.opt.RecipeIn
	fail := func(err error) (*recipe, error) {
		return nil, diag.New("OP6090", "the recipe cannot be read", "file", path).Wrap(err).Hinted("a recipe is what recipe-out wrote")
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecipe+1))
	if err == nil && len(text) > maxRecipe {
		err = errors.New("it is larger than 64 MiB")
	}
	if err != nil {
		return fail(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	r := &recipe{}
	if err := d.Decode(r); err != nil {
		return fail(err)
	}
	if r.Schema != recipeSchema {
		return fail(fmt.Errorf("schema %q, not %q", r.Schema, recipeSchema))
	}
	return r, nil
}

// repeat stores the assignment of a recipe.
func (m *mixer) repeat(ctx context.Context) (*trial, error) {
	r, err := m.readRecipe()
	if err != nil {
		return nil, err
	}
	sum, err := m.digest()
	if err != nil {
		return nil, err
	}
	if sum != r.Model || len(r.Layers) != len(m.found) {
		return nil, diag.New("OP6091", "the recipe was made for another model", "file", m.opt.RecipeIn,
			"weights in the recipe", fmt.Sprint(len(r.Layers)), "in the model", fmt.Sprint(len(m.found))).
			Hinted("a recipe fits the model, the passes before mixed, min-elems and selection that it was made with; make a new one with recipe-out")
	}
	pick, err := m.prescribed(r)
	if err != nil {
		return nil, err
	}
	t := &trial{pick: pick}
	if err := m.store(ctx, t); err != nil {
		return nil, err
	}
	return t, nil
}

// prescribed makes every weight a group of its own with the form of the recipe as its only choice.
func (m *mixer) prescribed(r *recipe) ([]int, error) {
	m.groups = nil
	m.forms = formsOf(formNames, m.target, m.threads())
	for i, w := range m.found {
		l := r.Layers[i]
		f := slices.IndexFunc(m.forms, func(f form) bool { return f.name == l.Form })
		if f < 0 || l.Weight != w.Value.Name() {
			return nil, diag.New("OP6090", "the recipe cannot be read", "file", m.opt.RecipeIn, "weight", l.Weight, "form", l.Form).
				Hinted("a recipe is what recipe-out wrote")
		}
		m.groups = append(m.groups, &group{weights: []int{i}, elements: int64(w.Elements()), forms: []int{f}, errors: []float64{0}, bytes: []int64{0}, tried: []attempt{{}}})
	}
	return make([]int, len(m.groups)), nil
}
