package sample

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // the formats that image.Decode knows
	_ "image/png"
	"math"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

// maxPixels bounds the memory that decoding a picture takes.
const maxPixels = 1 << 26

// picture is how pictures become one input.
type picture struct {
	Preprocess
	port     calib.Port
	last     bool // channels last
	channels int
	size     Size // of the input; a side is zero where the model leaves it open
	batch    bool // the input has a leading batch dimension
}

// newPicture works out what the input takes.
func newPicture(port calib.Port, p Preprocess) (*picture, error) {
	dims := port.Shape.Dims
	n := len(dims)
	if n != 3 && n != 4 {
		return nil, notPicture(port, "pictures need an input of three or four dimensions")
	}
	if !narrow(port.Elem) && port.Elem != onnx.Uint8 {
		return nil, notPicture(port, "pictures become float or uint8 inputs")
	}
	if !p.given() && port.Elem != onnx.Uint8 {
		return nil, diag.New("OP6017", "it was not said how pictures become inputs of the model", "input", port.Name+" "+port.TypeString()).
			Hinted("name a preset: --preset imagenet, yolo, unit (0..1), minus1 (-1..1) or raw (0..255); flags such as --mean, --std, --scale and --color change it. The right one is what the model was trained with")
	}
	q := &picture{Preprocess: p, port: port, batch: n == 4}
	last, known := channelsLast(dims)
	if !known {
		last = p.Layout == "nhwc"
	}
	q.last = last
	c, h, w := dims[n-3].Value, dims[n-2].Value, dims[n-1].Value
	if last {
		h, w, c = dims[n-3].Value, dims[n-2].Value, dims[n-1].Value
	}
	return q, q.fix(c, h, w)
}

// fix settles channels and size.
func (q *picture) fix(c, h, w int64) error {
	switch {
	case c == 3 || c == 1:
		q.channels = int(c)
	case c < 0 && q.Color == "gray":
		q.channels = 1
	case c < 0:
		q.channels = 3
	default:
		return notPicture(q.port, fmt.Sprintf("pictures have 1 or 3 channels, the input %d", c))
	}
	if h > maxSide || w > maxSide || h == 0 || w == 0 {
		return notPicture(q.port, fmt.Sprintf("a picture cannot be %d x %d", w, h))
	}
	q.size = Size{int(max(w, 0)), int(max(h, 0))}
	if c := q.Crop; c.W > 0 && (h > 0 && int64(c.H) != h || w > 0 && int64(c.W) != w) {
		return notPicture(q.port, fmt.Sprintf("--crop %dx%d is not the size of the input", c.W, c.H))
	}
	if q.channels == 1 && q.Color == "bgr" {
		return notPicture(q.port, "--color bgr needs three channels")
	}
	if _, _, err := q.affine(q.channels); err != nil {
		return err
	}
	return nil
}

func notPicture(port calib.Port, why string) error {
	return diag.New("OP6018", "pictures cannot be made to fit the input", "input", port.Name, "wanted", port.TypeString(), "reason", why).
		Hinted("save arrays as .npy that are just what the model takes; name the input of a model with several as IN=PATH")
}

// shape is the shape of one picture of the given size.
func (q *picture) shape(s Size) []int64 {
	dims := []int64{int64(q.channels), int64(s.H), int64(s.W)}
	if q.last {
		dims = []int64{int64(s.H), int64(s.W), int64(q.channels)}
	}
	if q.batch {
		dims = append([]int64{1}, dims...)
	}
	return dims
}

// read makes one input of a picture file.
func (q *picture) read(path, name string) (calib.Array, error) {
	raw, err := readWhole(path, name)
	if err != nil {
		return calib.Array{}, err
	}
	img, err := decode(raw)
	if err != nil {
		return calib.Array{}, damaged(name, err)
	}
	rgb, err := q.bring(img)
	if err != nil {
		return calib.Array{}, damaged(name, err)
	}
	return q.numbers8(rgb)
}

func decode(raw []byte) (image.Image, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("a picture of %d x %d pixels is beyond the limit of %d", c.Width, c.Height, maxPixels)
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	return img, err
}

// opaque drops transparency: colours stay as stored, not darkened.
func opaque(img image.Image) image.Image {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return img
	}
	b := img.Bounds()
	out := image.NewRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			out.SetRGBA(x, y, color.RGBA{c.R, c.G, c.B, 255})
		}
	}
	return out
}

// bring resizes, cuts and pads.
func (q *picture) bring(img image.Image) (*image.RGBA, error) {
	img = opaque(img)
	b := img.Bounds()
	out, place, err := q.place(Size{b.Dx(), b.Dy()})
	if err != nil {
		return nil, err
	}
	dst := image.NewRGBA(image.Rect(0, 0, out.W, out.H))
	if !dst.Bounds().In(place) {
		g := uint8(math.Round(float64(min(max(q.Pad, 0), 255))))
		draw.Draw(dst, dst.Bounds(), image.NewUniform(color.RGBA{g, g, g, 255}), image.Point{}, draw.Src)
	}
	q.resize(dst, place, img)
	return dst, nil
}

// resize draws the picture at place, cut to dst.
func (q *picture) resize(dst *image.RGBA, place image.Rectangle, img image.Image) {
	b := img.Bounds()
	k := triangle
	switch {
	case place.Size() == b.Size():
		draw.Draw(dst, place, img, b.Min, draw.Src)
		return
	case q.Filter == "nearest":
		draw.NearestNeighbor.Scale(dst, place, img, b, draw.Src, nil)
		return
	case q.Filter == "linear":
		draw.ApproxBiLinear.Scale(dst, place, img, b, draw.Src, nil)
		return
	case q.Filter == "bicubic":
		k = cubic
	}
	shown := dst.Bounds().Intersect(place)
	resample(dst, shown.Min, toRGBA(img), Size{place.Dx(), place.Dy()}, shown.Sub(place.Min), k)
}
