"""Trains the small networks under testdata/models and writes the pictures under testdata/fashion.

    apt-get install dataset-fashion-mnist           (the pictures: Fashion-MNIST, MIT licence)
    pip install jax optax onnx pillow
    python testdata/train/train.py [--epochs 4] [--only NAME]

Every network is written once, against the few operations of a `Tape`: `Training` computes them with JAX, `Exporter` writes them as
ONNX nodes. So the file is the network that was trained, with BatchNormalization left separate, as exporters leave it.
The seed is fixed; another CPU or JAX version gives slightly different weights.
"""
import argparse
import gzip
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import optax
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
ROOT = pathlib.Path(__file__).resolve().parent.parent
MEAN, STD = 0.286, 0.353  # of the training pictures, in [0, 1]


def read(name):
    raw = gzip.decompress((DATA / f"{name}-images-idx3-ubyte.gz").read_bytes())
    pictures = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.decompress((DATA / f"{name}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    return pictures, labels.astype(np.int32)


def normalise(pictures):
    return ((pictures[:, None].astype(np.float32) / 255) - MEAN) / STD


class Training:
    """Computes a network with JAX. `params` is filled at the first call; `stats` are BatchNormalization's running means."""

    def __init__(self, params, stats, train, rng=None):
        self.params, self.stats, self.train, self.rng = params, stats, train, rng

    def param(self, name, shape, scale):
        if name not in self.params:
            self.params[name] = jnp.asarray(self.rng.normal(size=shape) * scale, jnp.float32)
        return self.params[name]

    def conv(self, name, x, out, k, stride=1, group=1, bias=False):
        w = self.param(name + ".weight", (out, x.shape[1] // group, k, k), (2 / (k * k * x.shape[1] // group)) ** 0.5)
        y = jax.lax.conv_general_dilated(x, w, (stride, stride), [(k // 2, k // 2)] * 2, feature_group_count=group)
        return y + self.param(name + ".bias", (out,), 0)[None, :, None, None] if bias else y

    def batchnorm(self, name, x):
        c = x.shape[1]
        scale, shift = self.param(name + ".scale", (c,), 0) + 1, self.param(name + ".shift", (c,), 0)
        if self.train:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            old = self.stats.get(name, (jnp.zeros(c), jnp.ones(c)))
            self.stats[name] = tuple(0.95 * o + 0.05 * jax.lax.stop_gradient(n) for o, n in zip(old, (mean, var)))
        else:
            mean, var = self.stats[name]
        b = lambda v: v[None, :, None, None]  # noqa: E731
        return (x - b(mean)) * b(scale / jnp.sqrt(var + 1e-5)) + b(shift)

    def linear(self, name, x, out):
        w = self.param(name + ".weight", (x.shape[-1], out), (1 / x.shape[-1]) ** 0.5)
        return x @ w + self.param(name + ".bias", (out,), 0)

    gemm = linear

    def layernorm(self, name, x):
        c = x.shape[-1]
        y = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return y * (self.param(name + ".scale", (c,), 0) + 1) + self.param(name + ".shift", (c,), 0)

    def weight(self, name, shape):
        return self.param(name, shape, 0.02)

    relu = staticmethod(jax.nn.relu)
    gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=False))
    softmax = staticmethod(jax.nn.softmax)
    hardsigmoid = staticmethod(lambda x: jnp.clip(x / 6 + 0.5, 0, 1))
    hardswish = staticmethod(lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1))
    add = staticmethod(lambda a, b: a + b)
    mul = staticmethod(lambda a, b: a * b)
    matmul = staticmethod(lambda a, b: a @ b)
    gap = staticmethod(lambda x: x.mean((2, 3), keepdims=True))
    flatten = staticmethod(lambda x: x.reshape(x.shape[0], -1))
    transpose = staticmethod(lambda x, perm: x.transpose(perm))
    reshape = staticmethod(lambda x, shape: x.reshape([x.shape[0], *shape[1:]]))
    mean_tokens = staticmethod(lambda x: x.mean(1))
    channels = staticmethod(lambda x: x.shape[1])


class Exporter:
    """Writes the same network as ONNX nodes; values are (name, shape without batch)."""

    def __init__(self, params, stats):
        self.params, self.stats, self.nodes, self.inits, self.n = params, stats, [], [], 0

    def const(self, name, array):
        self.inits.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, shape, name=None, **attrs):
        self.n += 1
        name = name or f"{op.lower()}_{self.n}"
        self.nodes.append(helper.make_node(op, inputs, [name + ".out"], name=name, **attrs))
        return name + ".out", shape

    def conv(self, name, x, out, k, stride=1, group=1, bias=False):
        inputs = [x[0], self.const(name + ".weight", self.params[name + ".weight"])]
        if bias:
            inputs.append(self.const(name + ".bias", self.params[name + ".bias"]))
        size = [(s + 2 * (k // 2) - k) // stride + 1 for s in x[1][1:]]
        return self.node("Conv", inputs, (out, *size), name, kernel_shape=[k, k], strides=[stride] * 2, pads=[k // 2] * 4, group=group)

    def batchnorm(self, name, x):
        p, (mean, var) = self.params, self.stats[name]
        tensors = {"scale": p[name + ".scale"] + 1, "shift": p[name + ".shift"], "mean": mean, "var": var}
        return self.node("BatchNormalization", [x[0], *(self.const(f"{name}.{k}", v) for k, v in tensors.items())], x[1], name, epsilon=1e-5)

    def gemm(self, name, x, out):
        w, b = np.asarray(self.params[name + ".weight"]).T.copy(), self.params[name + ".bias"]
        return self.node("Gemm", [x[0], self.const(name + ".weight", w), self.const(name + ".bias", b)], (out,), name, transB=1)

    def linear(self, name, x, out):
        y = self.node("MatMul", [x[0], self.const(name + ".weight", self.params[name + ".weight"])], (*x[1][:-1], out), name)
        return self.node("Add", [y[0], self.const(name + ".bias", self.params[name + ".bias"])], y[1], name + ".add")

    def layernorm(self, name, x):
        scale, shift = self.const(name + ".scale", self.params[name + ".scale"] + 1), self.const(name + ".shift", self.params[name + ".shift"])
        return self.node("LayerNormalization", [x[0], scale, shift], x[1], name, axis=-1, epsilon=1e-5)

    def weight(self, name, shape):
        return self.const(name, self.params[name]), shape[1:]

    def gelu(self, x):  # as exporters decompose it: 0.5 x (1 + erf(x / sqrt 2))
        r = self.node("Div", [x[0], self.const(f"sqrt2_{self.n}", np.float32(2 ** 0.5))], x[1])
        e = self.node("Erf", [r[0]], x[1])
        a = self.node("Add", [e[0], self.const(f"one_{self.n}", np.float32(1))], x[1])
        m = self.node("Mul", [x[0], a[0]], x[1])
        return self.node("Mul", [m[0], self.const(f"half_{self.n}", np.float32(0.5))], x[1])

    def relu(self, x): return self.node("Relu", [x[0]], x[1])
    def softmax(self, x): return self.node("Softmax", [x[0]], x[1], axis=-1)
    def hardsigmoid(self, x): return self.node("HardSigmoid", [x[0]], x[1], alpha=1 / 6, beta=0.5)
    def hardswish(self, x): return self.node("HardSwish", [x[0]], x[1])
    def add(self, a, b): return self.node("Add", [a[0], b[0]], a[1])
    def mul(self, a, b): return self.node("Mul", [a[0], b[0]], a[1])
    def matmul(self, a, b): return self.node("MatMul", [a[0], b[0]], (*a[1][:-1], b[1][-1]))
    def gap(self, x): return self.node("GlobalAveragePool", [x[0]], (x[1][0], 1, 1))
    def flatten(self, x): return self.node("Flatten", [x[0]], (int(np.prod(x[1])),))

    def transpose(self, x, perm):
        return self.node("Transpose", [x[0]], tuple(x[1][p - 1] for p in perm[1:]), perm=perm)

    def reshape(self, x, shape):
        target = [0, *shape[1:]]
        return self.node("Reshape", [x[0], self.const(f"shape_{self.n}", np.array(target, np.int64))], tuple(shape[1:]))

    def mean_tokens(self, x):
        return self.node("ReduceMean", [x[0]], x[1][1:], axes=[1], keepdims=0)

    def channels(self, x): return x[1][0]


def resnet(t, x):
    """Residual CNN with separate BatchNormalization and one stride-2 shortcut a stage."""
    x = t.relu(t.batchnorm("stem.bn", t.conv("stem.conv", x, 16, 3)))
    for i, (c, stride) in enumerate([(16, 1), (32, 2), (64, 2)]):
        n = f"stage{i}"
        y = t.relu(t.batchnorm(n + ".bn1", t.conv(n + ".conv1", x, c, 3, stride)))
        y = t.batchnorm(n + ".bn2", t.conv(n + ".conv2", y, c, 3))
        if stride != 1:
            x = t.batchnorm(n + ".bn3", t.conv(n + ".shortcut", x, c, 1, stride))
        x = t.relu(t.add(y, x))
    return t.gemm("fc", t.flatten(t.gap(x)), 10)


def mobilenet(t, x):
    """Inverted residuals with depthwise convolutions, squeeze-and-excite gates and HardSwish."""
    x = t.hardswish(t.batchnorm("stem.bn", t.conv("stem.conv", x, 16, 3, 2)))
    for i, (expand, out, k, stride) in enumerate([(48, 16, 3, 1), (64, 32, 5, 2), (128, 32, 3, 1), (128, 48, 3, 2), (192, 48, 5, 1)]):
        n, shortcut = f"block{i}", x if stride == 1 and out == t.channels(x) else None
        y = t.hardswish(t.batchnorm(n + ".bn1", t.conv(n + ".expand", x, expand, 1)))
        y = t.hardswish(t.batchnorm(n + ".bn2", t.conv(n + ".depthwise", y, expand, k, stride, expand)))
        gate = t.relu(t.conv(n + ".squeeze", t.gap(y), expand // 4, 1, bias=True))
        y = t.mul(y, t.hardsigmoid(t.conv(n + ".excite", gate, expand, 1, bias=True)))
        y = t.batchnorm(n + ".bn3", t.conv(n + ".project", y, out, 1))
        x = y if shortcut is None else t.add(y, shortcut)
    x = t.hardswish(t.batchnorm("head.bn", t.conv("head.conv", x, 192, 1)))
    return t.gemm("fc", t.flatten(t.gap(x)), 10)


def vit(t, x):
    """Transformer on 49 patches: LayerNorm, attention with 4 heads, decomposed GELU."""
    width, heads, tokens = 64, 4, 49
    x = t.conv("patches", x, width, 5, 4, bias=True)
    x = t.transpose(t.reshape(x, [0, width, tokens]), [0, 2, 1])
    x = t.add(x, t.weight("position", (1, tokens, width)))
    for i in range(2):
        n = f"layer{i}"
        y = t.layernorm(n + ".ln1", x)
        q, k, v = (t.reshape(t.linear(f"{n}.{p}", y, width), [0, tokens, heads, width // heads]) for p in "qkv")
        scores = t.matmul(t.transpose(q, [0, 2, 1, 3]), t.transpose(k, [0, 2, 3, 1]))
        y = t.matmul(t.softmax(scores), t.transpose(v, [0, 2, 1, 3]))
        y = t.reshape(t.transpose(y, [0, 2, 1, 3]), [0, tokens, width])
        x = t.add(x, t.linear(n + ".proj", y, width))
        y = t.gelu(t.linear(n + ".fc1", t.layernorm(n + ".ln2", x), 2 * width))
        x = t.add(x, t.linear(n + ".fc2", y, width))
    return t.gemm("fc", t.mean_tokens(t.layernorm("ln", x)), 10)


NETWORKS = {"fashion_resnet": resnet, "fashion_mobilenet": mobilenet, "fashion_vit": vit}


def train(network, pictures, labels, epochs, batch=128):
    rng = np.random.default_rng(0)
    params, stats = {}, {}
    network(Training(params, stats, True, rng), jnp.asarray(pictures[:2]))
    steps = epochs * (len(pictures) // batch)
    optimiser = optax.adamw(optax.cosine_onecycle_schedule(steps, 4e-3), weight_decay=5e-3)

    def loss(params, stats, x, y):
        stats = dict(stats)
        logits = network(Training(params, stats, True), x)
        return optax.softmax_cross_entropy(logits, 0.95 * jax.nn.one_hot(y, 10) + 0.005).mean(), stats

    @jax.jit
    def step(params, stats, state, x, y):
        (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(params, stats, x, y)
        updates, state = optimiser.update(grads, state, params)
        return optax.apply_updates(params, updates), stats, state, value

    state = optimiser.init(params)
    for epoch in range(epochs):
        order = rng.permutation(len(pictures))
        for i in range(0, len(order) - batch + 1, batch):
            take = order[i:i + batch]
            x = pictures[take]
            x = np.where(rng.random((batch, 1, 1, 1)) < 0.5, x, x[..., ::-1])
            params, stats, state, value = step(params, stats, state, jnp.asarray(x), jnp.asarray(labels[take]))
        print(f"epoch {epoch}: loss {value:.4f}", flush=True)
    return params, stats


def accuracy(network, params, stats, pictures, labels):
    run = jax.jit(lambda x: network(Training(params, stats, False), x))
    hits = sum(int((np.asarray(run(pictures[i:i + 500])).argmax(1) == labels[i:i + 500]).sum()) for i in range(0, len(pictures), 500))
    return hits / len(pictures)


def export(name, network, params, stats):
    tape = Exporter(params, stats)
    last, _ = network(tape, ("image", (1, 28, 28)))
    tape.nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        tape.nodes, name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])], tape.inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="onnxpass-testdata")
    onnx.checker.check_model(model, full_check=True)
    path = ROOT / "models" / f"{name}.onnx"
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, path)
    print(path, path.stat().st_size)


def write_pictures():
    for part, name, count in (("train", "calib", 200), ("t10k", "test", 400)):
        folder = ROOT / "fashion" / name
        folder.mkdir(parents=True, exist_ok=True)
        pictures, labels = read(part)
        for i in range(count):
            file = f"{i:04d}.png" if name == "calib" else f"{i:04d}_{labels[i]}.png"
            Image.fromarray(pictures[i]).save(folder / file, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", choices=NETWORKS)
    args = parser.parse_args()
    write_pictures()
    (x, y), (xt, yt) = read("train"), read("t10k")
    x, xt = normalise(x), normalise(xt)
    for name, network in NETWORKS.items():
        if args.only in (None, name):
            params, stats = train(network, x, y, args.epochs)
            print(name, "test accuracy", accuracy(network, params, stats, xt, yt), sum(p.size for p in params.values()), "parameters")
            export(name, network, params, stats)


if __name__ == "__main__":
    main()
