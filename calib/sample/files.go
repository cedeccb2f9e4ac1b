package sample

import (
	"path/filepath"
	"strings"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// loadPath reads a path that is not for one input only.
func (l *loader) loadPath(path string) ([]sample, error) {
	if path == "random" {
		return l.loadRandom()
	}
	files, k, err := list(path)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindNpz:
		return l.loadNpz(l.thin(files, 1))
	case kindPB:
		return l.loadPB(files)
	case kindNpy:
		if columns := l.byStem(files); columns != nil {
			return l.loadStems(columns, path)
		}
	}
	port, err := l.onlyInput(path, k)
	if err != nil {
		return nil, err
	}
	parts, err := l.parts(files, k, port)
	if err != nil {
		return nil, err
	}
	return l.zip(map[string][]part{port.Name: parts}, path)
}

// thin spreads the files over as many as can be needed.
func (l *loader) thin(files []entry, batch int) []entry {
	n := l.o.limit() * batch
	if len(files) <= n {
		return files
	}
	l.note("%d of %d files, spread evenly", n, len(files))
	kept := make([]entry, n)
	for i := range kept {
		kept[i] = files[i*len(files)/n]
	}
	return kept
}

// onlyInput is the input that samples without a name are for.
func (l *loader) onlyInput(path string, k kind) (calib.Port, error) {
	if len(l.ports) == 1 {
		return l.ports[0], nil
	}
	e := diag.New("OP6010", "the model has several inputs, the data is for one", "data", path, "wanted", names(l.ports))
	return calib.Port{}, e.Hinted("name the input: --data %s=%s, once for each input; or save one .npz a sample with an array for each", l.ports[0].Name, path)
}

// byStem groups .npy files that are called like the inputs of a model with several.
func (l *loader) byStem(files []entry) map[string]entry {
	if len(l.ports) < 2 {
		return nil
	}
	columns := map[string]entry{}
	for _, f := range files {
		columns[strings.TrimSuffix(filepath.Base(f.name), filepath.Ext(f.name))] = f
	}
	for _, p := range l.ports {
		if _, ok := columns[p.Name]; !ok {
			return nil
		}
	}
	return columns
}

func (l *loader) loadStems(files map[string]entry, where string) ([]sample, error) {
	columns := map[string][]part{}
	for _, p := range l.ports {
		parts, err := l.parts([]entry{files[p.Name]}, kindNpy, p)
		if err != nil {
			return nil, err
		}
		columns[p.Name] = parts
	}
	return l.zip(columns, where)
}

// column reads all samples of one input.
func (l *loader) column(path string, port calib.Port) ([]part, error) {
	if path == "random" {
		return l.randomParts(port)
	}
	files, k, err := list(path)
	if err != nil {
		return nil, err
	}
	return l.parts(files, k, port)
}

// parts reads files of one kind for one input.
func (l *loader) parts(files []entry, k kind, port calib.Port) ([]part, error) {
	files = l.thin(files, batchOf(port))
	if k == kindPicture {
		return l.pictures(files, port)
	}
	var parts []part
	for _, f := range files {
		if err := l.ctx.Err(); err != nil {
			return nil, err
		}
		b, err := openBlob(f, k, port, l.ports)
		if err != nil {
			return nil, err
		}
		rows, err := l.rows(b, port)
		if err != nil {
			return nil, err
		}
		parts = append(parts, rows...)
	}
	return parts, nil
}

// openBlob reads the header of a file that holds one array for the port.
func openBlob(f entry, k kind, port calib.Port, ports []calib.Port) (*blob, error) {
	switch k {
	case kindNpz:
		blobs, keys, err := npzBlobs(f.path, f.name)
		if err != nil {
			return nil, err
		}
		paired, _ := byInput(blobs, keys, []calib.Port{port})
		if b := paired[port.Name]; b != nil {
			return b, nil
		}
		return nil, diag.New("OP6010", "the samples lack an input of the model", "data", f.name, "input", port.String(), "found", strings.Join(keys, ", ")).
			Hinted("save the array under the input's name: numpy.savez(path, **{%q: array})", port.Name)
	case kindPB:
		b, _, err := pbBlob(f.path, f.name)
		return b, err
	case kindBin:
		return binBlob(f.path, f.name, port)
	default:
		return npyBlob(f.path, f.name)
	}
}
