package layerwise

// sums are, for each input channel and tap, the sum over all positions of what
// the tap reads there. They come from sums of whole lines less what the border cuts off, not from windows.
func (v *view) sums(in *Input) []float64 {
	out := make([]float64, v.layer.Groups*v.layer.Cols)
	if in.codes != nil {
		sumWindows(v, in.codes, out)
	} else {
		sumWindows(v, in.floats, out)
	}
	if in.codes == nil {
		return out
	}
	elements := v.counts()
	for i, s := range out {
		out[i] = in.Scale * (s - float64(in.Zero)*elements[i%len(elements)])
	}
	return out
}

// counts is how many elements of a channel each tap reads that are no padding, over all positions.
func (v *view) counts() []float64 {
	if v.axes == nil {
		return []float64{float64(v.positions)}
	}
	out := []float64{float64(v.positions / v.out)}
	for _, a := range v.axes {
		var next []float64
		for _, n := range out {
			for t := range a.taps {
				_, _, count := a.used(t)
				next = append(next, n*float64(count))
			}
		}
		out = next
	}
	return out
}

func sumWindows[T byte | float32](v *view, x []T, out []float64) {
	if v.axes == nil {
		for ; len(x) > 0; x = x[v.channels:] {
			addLine(out, x[:v.channels], 1)
		}
		return
	}
	taps := v.layer.taps()
	for from, c := 0, 0; from+v.in <= len(x) && v.in > 0; from, c = from+v.in, (c+1)%v.channels {
		sumPlane(v.axes, x[from:from+v.in], out[c*taps:(c+1)*taps])
	}
}

// sumPlane adds the sums of one channel of one item to those of its taps. Along
// the first axis, elements that taps have in common are added up once.
func sumPlane[T byte | float32](axes []axis, plane []T, out []float64) {
	a := axes[0]
	rest := len(plane) / a.in
	line := func(i int) []T { return plane[i*rest : (i+1)*rest] }
	classes := make(map[int][]float64, a.stride)
	per := len(out) / a.taps
	for t := range a.taps {
		first, step, count := a.used(t)
		if count == 0 {
			continue
		}
		whole := classes[first%step]
		if whole == nil {
			whole = make([]float64, rest)
			for i := first % step; i < a.in; i += step {
				addLine(whole, line(i), 1)
			}
			classes[first%step] = whole
		}
		part := append([]float64(nil), whole...)
		for i := first % step; i < a.in; i += step {
			if i < first || i >= first+step*count {
				addLine(part, line(i), -1)
			}
		}
		sumAxes(axes[1:], part, out[t*per:(t+1)*per])
	}
}

// sumAxes adds the sums over the remaining axes.
func sumAxes(axes []axis, x, out []float64) {
	if len(axes) == 0 {
		out[0] += x[0]
		return
	}
	a := axes[0]
	rest, per := len(x)/a.in, len(out)/a.taps
	for t := range a.taps {
		first, step, count := a.used(t)
		part := make([]float64, rest)
		for k := range count {
			i := first + k*step
			addLine(part, x[i*rest:(i+1)*rest], 1)
		}
		sumAxes(axes[1:], part, out[t*per:(t+1)*per])
	}
}

func addLine[T byte | float32 | float64](sum []float64, x []T, sign float64) {
	for i, v := range x {
		sum[i] += sign * float64(v)
	}
}
