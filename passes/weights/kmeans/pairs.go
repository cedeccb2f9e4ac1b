package kmeans

import (
	"math"
	"slices"
)

// Pairs are points of the plane, each with a positive weight.
type Pairs struct {
	Value  [][2]float64
	Weight []float64
}

// Len is the number of points.
func (p Pairs) Len() int { return len(p.Value) }

// ClusterPairs returns k centres that Lloyd's algorithm, at most the given
// number of times, cannot improve much; no more than there are points. The
// start is the grid of the optimal clusters of both coordinates, so that
// the result depends on nothing but the points. A centre that loses all its
// points moves to the point that is farthest from its own centre.
func ClusterPairs(p Pairs, k, times int) [][2]float64 {
	c := gridStart(p, k)
	code := make([]int32, p.Len())
	last := math.Inf(1)
	for range times {
		s := NewPlane(c)
		var cost float64
		sums := make([][3]float64, len(c))
		far, farthest := -1, 0.0
		for i, v := range p.Value {
			m, d := s.Nearest(v, int(code[i]))
			code[i] = int32(m)
			w := p.Weight[i]
			cost += w * d
			sums[m][0], sums[m][1], sums[m][2] = sums[m][0]+w*v[0], sums[m][1]+w*v[1], sums[m][2]+w
			if w*d > farthest {
				far, farthest = i, w*d
			}
		}
		for m, s := range sums {
			switch {
			case s[2] > 0:
				c[m] = [2]float64{s[0] / s[2], s[1] / s[2]}
			case far >= 0:
				c[m], far = p.Value[far], -1
			}
		}
		if !(cost < last*(1-1e-5)) {
			break
		}
		last = cost
	}
	return c
}

// gridStart is a grid of about the square root of k optimal centres along each
// axis, cut down to the k that hold the most weight, or filled up with points
// spread evenly over the list.
func gridStart(p Pairs, k int) [][2]float64 {
	side := int(math.Ceil(math.Sqrt(float64(k))))
	var axes [2][]float64
	for d := range axes {
		axes[d] = Cluster(p.along(d), side)
	}
	type cell struct {
		centre [2]float64
		weight float64
	}
	var cells []cell
	for _, a := range axes[0] {
		for _, b := range axes[1] {
			cells = append(cells, cell{centre: [2]float64{a, b}})
		}
	}
	for i, v := range p.Value {
		cells[nearest(axes[0], v[0])*len(axes[1])+nearest(axes[1], v[1])].weight += p.Weight[i]
	}
	slices.SortStableFunc(cells, func(a, b cell) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	var out [][2]float64
	for _, c := range cells[:min(k, len(cells), p.Len())] {
		out = append(out, c.centre)
	}
	for i := len(out); i < min(k, p.Len()); i++ {
		out = append(out, p.Value[i*p.Len()/k])
	}
	return out
}

// along are the points' coordinates d.
func (p Pairs) along(d int) Points {
	x := make([]float32, p.Len())
	for i, v := range p.Value {
		x[i] = float32(v[d])
	}
	if len(x) <= exact {
		return Exact(x, p.Weight)
	}
	b := new(Bins)
	b.AddEach(x, 1, p.Weight)
	return b.Points()
}

// exact is the number of points up to which they are sorted and not binned.
const exact = 1 << 13

// nearest is the index of the centre, of ascending ones, that v is nearest to.
func nearest(c []float64, v float64) int {
	i, _ := slices.BinarySearch(c, v)
	if i == len(c) || i > 0 && v-c[i-1] <= c[i]-v {
		i--
	}
	return i
}

// Plane finds the nearest of a set of points of the plane.
type Plane struct {
	points [][2]float64
	order  []int32   // by the first coordinate
	first  []float64 // first coordinates in that order
}

// NewPlane prepares the search.
func NewPlane(points [][2]float64) *Plane {
	s := &Plane{points: slices.Clone(points), order: make([]int32, len(points)), first: make([]float64, len(points))}
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortStableFunc(s.order, func(a, b int32) int {
		switch x, y := points[a][0], points[b][0]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for i, m := range s.order {
		s.first[i] = points[m][0]
	}
	return s
}

// Nearest is the index of the point nearest to v and its squared distance. A
// good guess shortens the search; among equally near points the result may depend on it.
func (s *Plane) Nearest(v [2]float64, guess int) (int, float64) {
	best := guess
	d0, d1 := v[0]-s.points[guess][0], v[1]-s.points[guess][1]
	least := d0*d0 + d1*d1
	at, _ := slices.BinarySearch(s.first, v[0])
	for i := at; i < len(s.order); i++ {
		d := s.first[i] - v[0]
		if d*d >= least {
			break
		}
		m := s.order[i]
		e := v[1] - s.points[m][1]
		if q := d*d + e*e; q < least {
			best, least = int(m), q
		}
	}
	for i := at - 1; i >= 0; i-- {
		d := v[0] - s.first[i]
		if d*d >= least {
			break
		}
		m := s.order[i]
		e := v[1] - s.points[m][1]
		if q := d*d + e*e; q < least {
			best, least = int(m), q
		}
	}
	return best, least
}

// NearestUnder is Nearest for the squared distance a x^2 + b x y + c y^2, which
// must be positive definite or nearly so. Its least value for a given x is that of
// (a - b^2/4c) x^2, which ends the search.
func (s *Plane) NearestUnder(v [2]float64, a, b, c float64) int {
	best, _ := s.Nearest(v, 0)
	distance := func(m int) float64 {
		x, y := v[0]-s.points[m][0], v[1]-s.points[m][1]
		return x*(a*x+b*y) + c*y*y
	}
	least := distance(best)
	bound := 0.0
	if c > 0 {
		bound = max(0, a-b*b/(4*c))
	}
	at, _ := slices.BinarySearch(s.first, v[0])
	for i := at; i < len(s.order); i++ {
		if d := s.first[i] - v[0]; bound*d*d >= least {
			break
		}
		if d := distance(int(s.order[i])); d < least {
			best, least = int(s.order[i]), d
		}
	}
	for i := at - 1; i >= 0; i-- {
		if d := v[0] - s.first[i]; bound*d*d >= least {
			break
		}
		if d := distance(int(s.order[i])); d < least {
			best, least = int(s.order[i]), d
		}
	}
	return best
}
