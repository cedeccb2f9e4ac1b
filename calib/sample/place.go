package sample

import (
	"fmt"
	"image"
	"math"
)

// place is the size of the result and where in it the whole resized picture
// lies; what lies outside is cut off.
func (q *picture) place(in Size) (out Size, r image.Rectangle, err error) {
	out = q.target(in)
	box := q.Resize
	if box.W == 0 {
		box = out
		if q.Ratio > 0 {
			box = Size{round(float64(out.W) / q.Ratio), round(float64(out.H) / q.Ratio)}
		}
	}
	size := box
	sx, sy := float64(box.W)/float64(in.W), float64(box.H)/float64(in.H)
	switch q.Fit {
	case "cover":
		// torchvision cuts the longer side down; 1e-9 is for the side that fits exactly.
		size = Size{int(float64(in.W)*max(sx, sy) + 1e-9), int(float64(in.H)*max(sx, sy) + 1e-9)}
	case "letterbox":
		size = scaled(in, min(sx, sy))
	}
	if size.W > 4*maxSide || size.H > 4*maxSide {
		return out, r, fmt.Errorf("resized to %d x %d it is too large: its sides differ too much", size.W, size.H)
	}
	if q.Fit != "letterbox" && (size.W < out.W || size.H < out.H) {
		return out, r, fmt.Errorf("resized to %d x %d it does not fill %d x %d: raise --resize or use letterbox", size.W, size.H, out.W, out.H)
	}
	x, y := -half(size.W-out.W), -half(size.H-out.H)
	if q.Fit == "letterbox" {
		x, y = (out.W-size.W)/2, (out.H-size.H)/2
		if q.Anchor == "topleft" {
			x, y = 0, 0
		}
	}
	return out, image.Rect(x, y, x+size.W, y+size.H), nil
}

// target is the size of the result. Where the model fixes one side only, the
// other follows the picture's aspect, as in line recognition.
func (q *picture) target(in Size) Size {
	open := q.Resize
	if q.Crop.W > 0 {
		open = q.Crop
	}
	switch {
	case q.size.W > 0 && q.size.H > 0:
		return q.size
	case open.W > 0:
		return open
	case q.size.H > 0:
		return Size{max(1, round(float64(in.W)*float64(q.size.H)/float64(in.H))), q.size.H}
	case q.size.W > 0:
		return Size{q.size.W, max(1, round(float64(in.H)*float64(q.size.W)/float64(in.W)))}
	}
	return in
}

func scaled(in Size, s float64) Size {
	return Size{max(1, round(float64(in.W)*s)), max(1, round(float64(in.H)*s))}
}

// half rounds to even, as torchvision's centre cut.
func half(n int) int { return int(math.RoundToEven(float64(n) / 2)) }

func round(x float64) int { return int(math.Floor(x + 0.5)) }
