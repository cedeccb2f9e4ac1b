"""Writes the fixtures of this folder with the libraries whose files and results the tests are about.

    python make.py        (numpy, pillow, onnx)
"""
import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

rng = np.random.default_rng(7)

# Arrays: element [i, j] is 10 * i + j, whatever the type and order.
grid = np.add.outer(10 * np.arange(2), np.arange(3))
np.save("float32.npy", grid.astype("<f4"))
np.save("float16.npy", grid.astype("<f2"))
np.save("float64_fortran.npy", np.asfortranarray(grid.astype("<f8")))
np.save("int32_big_endian.npy", grid.astype(">i4"))
np.save("int64_fortran_3d.npy", np.asfortranarray(np.stack([grid, grid + 100]).astype("<i8")))
np.save("bool.npy", grid % 2 == 1)
np.save("uint8_scalar.npy", np.uint8(200))
np.save("object.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
np.save("text.npy", np.array(["a", "b"]))
np.lib.format.write_array(open("version2.npy", "wb"), grid.astype("<f4"), version=(2, 0))
np.lib.format.write_array(open("version3.npy", "wb"), grid.astype("<f4"), version=(3, 0))
np.savez("stored.npz", x=grid.astype("<f4"), n=np.int64(5))
np.savez_compressed("compressed.npz", x=np.stack([grid, grid + 100, grid + 200]).astype("<f4"), n=np.int64(5))

# Tensors as in an ONNX test data set, once with raw_data and once with typed fields.
for name, t in {"float32_raw": "f4", "int64_raw": "i8", "bool_raw": "?", "float16_raw": "f2"}.items():
    data = (grid % 2 if t == "?" else grid).astype(t)
    open(name + ".pb", "wb").write(numpy_helper.from_array(data, "x").SerializeToString())
for name, t in {"float32_typed": onnx.TensorProto.FLOAT, "uint8_typed": onnx.TensorProto.UINT8, "double_typed": onnx.TensorProto.DOUBLE}.items():
    open(name + ".pb", "wb").write(onnx.helper.make_tensor("x", t, (2, 3), grid.ravel().tolist()).SerializeToString())

# A smooth picture with edges, its resized forms by Pillow.
y, x = np.mgrid[0:23, 0:37]
pixels = np.stack([x * 6, y * 10, (x + y) * 4], -1).astype(np.uint8)
pixels[5:15, 10:20] = rng.integers(0, 256, (10, 10, 3))
picture = Image.fromarray(pixels)
picture.save("picture.png")
picture.convert("L").save("grey.png")
alpha = np.dstack([pixels, np.full(pixels.shape[:2], 60, np.uint8)])
Image.fromarray(alpha).save("alpha.png")
picture.save("picture.webp", lossless=True)
Image.fromarray(np.full((16, 24, 3), (200, 100, 50), np.uint8)).save("plain.jpg", quality=95)
for name, size, how in [("bilinear_down", (16, 10), Image.BILINEAR), ("bilinear_up", (50, 40), Image.BILINEAR),
                        ("bicubic_down", (16, 10), Image.BICUBIC), ("bicubic_up", (50, 40), Image.BICUBIC),
                        ("nearest_down", (16, 10), Image.NEAREST)]:
    np.save(name + ".npy", np.asarray(picture.resize(size, how)))
np.save("luma.npy", np.asarray(picture.convert("L")))
# Short side to 16 of 14, centre cut of 14 x 14, as torchvision's evaluation transform.
resized = picture.resize((25, 16), Image.BILINEAR)
np.save("cover.npy", np.asarray(resized.crop((6, 1, 20, 15))))
