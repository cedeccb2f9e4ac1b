package calib

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/onnxpass/onnxpass/calib/observe"
)

// The file of a table is JSON; long lists are base64 of little-endian
// elements or of varints, so that a table of 100 values stays below 1 MB.
type (
	tableFile struct {
		Format       string            `json:"format"`
		Model        string            `json:"model"`
		Samples      string            `json:"samples"`
		Runner       string            `json:"runner"`
		Values       []statsFile       `json:"values"`
		Unobservable map[string]string `json:"unobservable,omitempty"`
	}
	statsFile struct {
		Name      string        `json:"name"`
		Samples   int64         `json:"samples"`
		Filled    int64         `json:"filled"`
		Count     int64         `json:"count"`
		Zeros     int64         `json:"zeros"`
		NaN       int64         `json:"nan,omitempty"`
		Inf       int64         `json:"inf,omitempty"`
		Min       float32       `json:"min"`
		Max       float32       `json:"max"`
		Sum       observe.Sum   `json:"sum"`
		Squares   observe.Sum   `json:"squares"`
		SampleMin observe.Sum   `json:"sample_min"`
		SampleMax observe.Sum   `json:"sample_max"`
		Shape     ShapeRange    `json:"shape"`
		Exp       int           `json:"exp"`
		Pos       []byte        `json:"pos,omitempty"`
		Neg       []byte        `json:"neg,omitempty"`
		Channels  *channelsFile `json:"channels,omitempty"`
	}
	channelsFile struct {
		Axis   int           `json:"axis"`
		Varies bool          `json:"varies,omitempty"`
		Count  []int64       `json:"count,omitempty"`
		Min    []byte        `json:"min,omitempty"`
		Max    []byte        `json:"max,omitempty"`
		Sum    []observe.Sum `json:"sum,omitempty"`
	}
)

// tableFormat changes whenever files or the meaning of their numbers do.
const tableFormat = "onnxpass statistics 1"

// maxTableFile bounds what is read of a file that claims to be a table.
const maxTableFile = 512 << 20

// Write writes the table. Equal tables give equal bytes.
func (t *Table) Write(w io.Writer) error {
	f := tableFile{Format: tableFormat, Model: t.Model, Samples: t.Samples, Runner: t.Runner, Unobservable: t.unobservable}
	for _, name := range t.Values() {
		f.Values = append(f.Values, t.stats[name].file(name))
	}
	return json.NewEncoder(w).Encode(f)
}

func (s *Stats) file(name string) statsFile {
	f := statsFile{
		Name: name, Samples: s.Samples, Filled: s.Filled, Count: s.Count, Zeros: s.Zeros, NaN: s.NaN, Inf: s.Inf,
		Min: s.Min, Max: s.Max, Sum: s.Sum, Squares: s.Squares, SampleMin: s.SampleMin, SampleMax: s.SampleMax,
		Shape: s.Shape, Exp: s.Histogram.Exp, Pos: packBins(s.Histogram.Pos), Neg: packBins(s.Histogram.Neg),
	}
	if c := s.Channels; c != nil {
		f.Channels = &channelsFile{Axis: c.Axis, Varies: c.Varies, Count: c.Count, Min: packFloats(c.Min), Max: packFloats(c.Max), Sum: c.Sum}
	}
	return f
}

// ReadTable reads what Write wrote.
func ReadTable(r io.Reader) (*Table, error) {
	var f tableFile
	if err := json.NewDecoder(io.LimitReader(r, maxTableFile)).Decode(&f); err != nil {
		return nil, fmt.Errorf("statistics table: %w", err)
	}
	if f.Format != tableFormat {
		return nil, fmt.Errorf("statistics table: format %q, not %q", f.Format, tableFormat)
	}
	t := NewTable(f.Model, f.Samples)
	t.Runner = f.Runner
	for i := range f.Values {
		s, err := f.Values[i].stats()
		if err != nil {
			return nil, fmt.Errorf("statistics table: value %q: %w", f.Values[i].Name, err)
		}
		t.stats[f.Values[i].Name] = s
	}
	for name, reason := range f.Unobservable {
		t.unobservable[name] = reason
	}
	return t, nil
}

var errTable = errors.New("damaged statistics")

func (f *statsFile) stats() (*Stats, error) {
	pos, err1 := unpackBins(f.Pos)
	neg, err2 := unpackBins(f.Neg)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if f.Exp < observe.MinExp || f.Exp > 128 || f.Count < 0 || f.Samples < 0 || len(f.Shape.Min) != len(f.Shape.Max) {
		return nil, errTable
	}
	s := &Stats{
		Samples: f.Samples, Filled: f.Filled, Count: f.Count, Zeros: f.Zeros, NaN: f.NaN, Inf: f.Inf,
		Min: f.Min, Max: f.Max, Sum: f.Sum, Squares: f.Squares, SampleMin: f.SampleMin, SampleMax: f.SampleMax,
		Shape: f.Shape, Histogram: &observe.Histogram{Exp: f.Exp, Pos: pos, Neg: neg},
	}
	c, err := f.Channels.stats()
	s.Channels = c
	return s, err
}

func (f *channelsFile) stats() (*ChannelStats, error) {
	if f == nil {
		return nil, nil
	}
	c := &ChannelStats{Axis: f.Axis, Varies: f.Varies, Count: f.Count, Sum: f.Sum, Min: unpackFloats(f.Min), Max: unpackFloats(f.Max)}
	n := len(c.Count)
	if n > maxChannels || len(c.Sum) != n || len(c.Min) != n || len(c.Max) != n {
		return nil, errTable
	}
	return c, nil
}

// packBins writes the distance to and the count of every bin that is not empty.
func packBins(bins []uint64) []byte {
	var b []byte
	last := -1
	for k, n := range bins {
		if n != 0 {
			b = binary.AppendUvarint(b, uint64(k-last))
			b = binary.AppendUvarint(b, n)
			last = k
		}
	}
	return b
}

func unpackBins(b []byte) ([]uint64, error) {
	if len(b) == 0 {
		return nil, nil
	}
	bins := make([]uint64, observe.Bins)
	k := -1
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 || gap == 0 || gap > observe.Bins || k+int(gap) >= observe.Bins {
			return nil, errTable
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, errTable
		}
		k += int(gap)
		bins[k] = count
		b = b[n+m:]
	}
	return bins, nil
}

func packFloats(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func unpackFloats(b []byte) []float32 {
	if len(b) < 4 {
		return nil
	}
	return decodeFloat32(b, make([]float32, 0, len(b)/4))
}

// SaveTable writes the table to a file, which appears whole or not at all.
func SaveTable(path string, t *Table) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".statistics-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err = errors.Join(t.Write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// LoadTable reads a table from a file.
func LoadTable(path string) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadTable(f)
}
