#!/usr/bin/env python3
"""Write operators.jsonl.gz: single operators with the types and shapes that they really produce.

    python3 -m venv v && v/bin/pip install onnx==1.23.2 onnxruntime==1.32.0 numpy
    v/bin/python generate.py

Two sources. The node tests that ship with `onnx` give every operator in its newest
version with computed outputs. The sweep below gives older versions and many
combinations of attributes; ONNX Runtime runs each one, and what it refuses is left out.
One case a line: op, version, attributes, inputs and outputs; "t" is the element type,
"d" the dimensions, "c" the content of small tensors, absent for others. A value that
is not a tensor is {"x": kind}.
"""
import gzip
import itertools
import json
import os
import random
import warnings

import numpy as np
import onnx
import onnxruntime as ort
from onnx import AttributeProto as A
from onnx import TensorProto as T
from onnx import helper, numpy_helper

warnings.filterwarnings("ignore")
ort.set_default_logger_severity(4)
HERE = os.path.dirname(os.path.abspath(__file__))
CONTENT = {T.INT64, T.INT32, T.BOOL, T.FLOAT, T.DOUBLE}


def described(t, dims, content=None):
    v = {"t": int(t), "d": [int(d) for d in dims]}
    if t in CONTENT and content is not None and content.size <= 64:
        flat = content.reshape(-1)
        if t in (T.FLOAT, T.DOUBLE):
            if flat.size > 16 or not np.isfinite(flat).all():
                return v
            v["c"] = [float("%.9g" % x) for x in flat]
        else:
            v["c"] = [int(x) for x in flat]
    return v


def value(x, declared=None):
    if x is None:
        return None
    if isinstance(x, onnx.TensorProto):
        content = numpy_helper.to_array(x) if x.data_type in CONTENT else None
        return described(x.data_type, x.dims, content)
    if isinstance(x, np.ndarray) or np.isscalar(x):
        x = np.asarray(x)
        t = declared.tensor_type.elem_type if declared is not None else helper.np_dtype_to_tensor_dtype(x.dtype)
        return described(t, x.shape, x if t in CONTENT else None)
    return {"x": type(x).__name__}


def attributes(node):
    out = {}
    for a in node.attribute:
        kind = {A.INT: ("i", lambda: a.i), A.FLOAT: ("f", lambda: a.f), A.STRING: ("s", lambda: a.s.decode("latin1")),
                A.INTS: ("is", lambda: list(a.ints)), A.FLOATS: ("fs", lambda: list(a.floats)),
                A.STRINGS: ("ss", lambda: [s.decode("latin1") for s in a.strings]), A.TENSOR: ("t", lambda: value(a.t))}.get(a.type)
        if kind is None:
            return None
        out[a.name] = [kind[0], kind[1]()]
    return out


def row(name, model, feeds, outputs):
    """feeds and outputs: dicts from name to array, of the single node of the model."""
    node = model.graph.node[0]
    attrs = attributes(node)
    if attrs is None:
        return None
    types = {v.name: v.type for v in list(model.graph.input) + list(model.graph.output)}
    version = {o.domain: o.version for o in model.opset_import}.get(node.domain, 0)
    case = {"name": name, "op": node.op_type, "v": version}
    if node.domain:
        case["domain"] = node.domain
    if attrs:
        case["attrs"] = attrs
    case["in"] = [value(feeds.get(n), types.get(n)) if n else None for n in node.input]
    case["out"] = [value(outputs.get(n), types.get(n)) if n else None for n in node.output]
    return case


def node_tests():
    from onnx.backend.test.case.node import collect_testcases
    for case in sorted(collect_testcases(None), key=lambda c: c.name):
        if case.model is None or len(case.model.graph.node) != 1 or len(case.model.graph.initializer):
            continue
        g = case.model.graph
        ins, outs = case.data_sets[0]
        yield row(case.name, case.model, dict(zip([i.name for i in g.input], ins)), dict(zip([o.name for o in g.output], outs)))


class Sweep:
    """Builds single-node models and lets ONNX Runtime tell what comes out."""

    def __init__(self):
        self.rows, self.refused, self.rng = [], {}, random.Random(7)

    def add(self, op, version, inputs, outputs=1, **attrs):
        names = [f"i{i}" if x is not None else "" for i, x in enumerate(inputs)]
        while names and not names[-1]:
            names.pop()
        feeds = {n: x for n, x in zip(names, inputs) if n}
        outs = [f"o{i}" for i in range(outputs)]
        node = helper.make_node(op, names, outs, **{k: v for k, v in attrs.items() if v is not None and v != []})
        infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in feeds.items()]
        graph = helper.make_graph([node], "g", infos, [onnx.ValueInfoProto(name=o) for o in outs])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=min(10, onnx.helper.find_min_ir_version_for([helper.make_opsetid("", max(version, 7))])))
        try:
            got = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
        except Exception as e:
            self.refused.setdefault((op, version), []).append(str(e).split("\n")[0][:160])
            return
        case = row(f"{op}-{version}-{len(self.rows)}", model, feeds, dict(zip(outs, got)))
        for o, x in zip(case["out"], got):  # ORT's element type
            if isinstance(x, np.ndarray):
                o["t"] = int(helper.np_dtype_to_tensor_dtype(x.dtype))
        self.rows.append(case)

    def windows(self):
        f, r = np.float32, self.rng
        for _ in range(260):
            rank = r.choice([1, 2, 2, 3])
            dims = [r.randint(1, 12) for _ in range(rank)]
            kernel = [r.randint(1, 4) for _ in range(rank)]
            strides = r.choice([None, [r.randint(1, 4) for _ in range(rank)]])
            dil = r.choice([None, None, [r.randint(1, 3) for _ in range(rank)]])
            auto = r.choice([None, None, "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
            pads = None if auto in ("SAME_UPPER", "SAME_LOWER", "VALID") else r.choice([None, [r.randint(0, 3) for _ in range(2 * rank)]])
            x = np.zeros([r.randint(1, 2), 4] + dims, f)
            common = dict(strides=strides, pads=pads, auto_pad=auto)
            g = r.choice([1, 2, 4])
            self.add("Conv", r.choice([7, 11, 22]), [x, np.zeros([8, 4 // g] + kernel, f)], dilations=dil, group=g, kernel_shape=r.choice([None, kernel]), **common)
            self.add("ConvTranspose", r.choice([7, 11, 22]), [x, np.zeros([4, 6 // r.choice([1, 2])] + kernel, f)], dilations=dil, group=r.choice([1, 2]),
                     output_padding=r.choice([None, [r.randint(0, 2) for _ in range(rank)]]), output_shape=r.choice([None, None, [r.randint(1, 20) for _ in range(rank)]]), **common)
            ceil = r.choice([None, 0, 1, 1])
            self.add("MaxPool", r.choice([10, 12, 22]), [x], outputs=r.choice([1, 2]), kernel_shape=kernel, dilations=dil, ceil_mode=ceil, **common)
            self.add("MaxPool", r.choice([7, 8]), [x], kernel_shape=kernel, **common)
            self.add("AveragePool", r.choice([10, 11]), [x], kernel_shape=kernel, ceil_mode=ceil, **common)
            self.add("AveragePool", r.choice([19, 22]), [x], kernel_shape=kernel, ceil_mode=ceil, dilations=dil, **common)
            self.add("LpPool", r.choice([2, 11, 18]), [x], kernel_shape=kernel, **common)
        for op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
            self.add(op, 7, [np.zeros([2, 3, 4, 5], f)])
            self.add(op, 7, [np.zeros([2, 3, 4], f)])
        self.add("ConvInteger", 10, [np.zeros([1, 2, 5, 5], np.uint8), np.zeros([3, 2, 3, 3], np.uint8)], strides=[2, 2])

    def resizes(self):
        f, r = np.float32, self.rng
        for _ in range(120):
            rank = r.choice([2, 3, 4])
            x = np.zeros([r.randint(1, 9) for _ in range(rank)], f)
            scales = np.array([r.choice([1, 1, 2, 0.5, 1.5, 3, 0.34, 2.7, 0.9999999]) for _ in range(rank)], f)
            sizes = np.array([r.randint(1, 15) for _ in range(rank)], np.int64)
            self.add("Upsample", 7, [x], scales=[float(max(s, 1)) for s in scales])
            self.add("Upsample", 9, [x, np.maximum(scales, 1)])
            self.add("Resize", 10, [x, scales])
            v, empty = r.choice([11, 13, 18, 19]), np.zeros([0], f)
            self.add("Resize", v, [x, empty, scales])
            self.add("Resize", v, [x, empty, empty, sizes])
            self.add("Resize", max(v, 13), [x, None, scales])
            self.add("Resize", max(v, 13), [x, None, None, sizes])
            axes = r.sample(range(rank), r.randint(1, rank))
            policy = r.choice(["stretch", "not_larger", "not_smaller"])
            self.add("Resize", r.choice([18, 19]), [x, None, scales[axes]], axes=axes)
            self.add("Resize", r.choice([18, 19]), [x, None, None, sizes[axes]], axes=[a - r.choice([0, rank]) for a in axes], keep_aspect_ratio_policy=policy)

    def cuts(self):
        f, r = np.float32, self.rng
        far = [-(2 ** 63), -(2 ** 63) + 1, -(2 ** 31), 2 ** 31 - 1, 2 ** 63 - 1]
        for _ in range(200):
            rank = r.randint(1, 4)
            x = np.zeros([r.randint(0 if r.random() < .1 else 1, 8) for _ in range(rank)], r.choice([f, np.int64]))
            axes = r.sample(range(rank), r.randint(1, rank))
            pick = lambda: r.choice(far) if r.random() < .3 else r.randint(-10, 10)
            starts, ends = [pick() for _ in axes], [pick() for _ in axes]
            self.add("Slice", 9, [x], starts=starts, ends=ends, axes=axes)
            i = r.choice([np.int64, np.int64, np.int32])
            clip = lambda l: np.clip(np.array(l, object), np.iinfo(i).min, np.iinfo(i).max).astype(i)
            steps = clip([r.choice([1, 1, 2, 3, -1, -1, -2, 2 ** 63 - 1, -(2 ** 63)]) for _ in axes])
            signed = clip([a - r.choice([0, rank]) for a in axes])
            self.add("Slice", r.choice([10, 11, 13]), [x, clip(starts), clip(ends), signed, r.choice([None, steps, steps])])
            self.add("Slice", 13, [x, clip(starts), clip(ends)])
            pads = [r.randint(-2, 4) for _ in range(2 * rank)]
            self.add("Pad", 2, [x.astype(f)], pads=pads)
            self.add("Pad", r.choice([11, 13, 18]), [x, np.array(pads, np.int64)], mode=r.choice(["constant", "constant", "edge", "reflect"]))
            self.add("Pad", r.choice([18, 19, 21]), [x, np.array(pads[: 2 * len(axes)], np.int64), None, signed])
            a, n = r.randrange(rank), r.randint(1, 4)
            d = x.shape[a]
            given = [1] * (n - 1) + [d - n + 1] if d >= n else None
            if given:
                self.add("Split", r.choice([2, 11]), [x], outputs=n, axis=a - r.choice([0, 0]), split=given)
                self.add("Split", r.choice([13, 18]), [x, np.array(given, np.int64)], outputs=n, axis=a - r.choice([0, rank]))
            self.add("Split", r.choice([2, 11, 13]), [x], outputs=n, axis=a)
            self.add("Split", 18, [x], outputs=n, axis=a, num_outputs=n)
            others = [list(x.shape) for _ in range(r.randint(1, 3))]
            for o in others:
                o[a] = r.randint(0, 4)
            self.add("Concat", r.choice([4, 11, 13]), [np.zeros(o, x.dtype) for o in others], axis=a)
            self.add("Tile", r.choice([6, 13]), [x, np.array([r.randint(0, 3) for _ in range(rank)], np.int64)])

    def reshapes(self):
        f, r = np.float32, self.rng
        for _ in range(150):
            rank = r.randint(0, 4)
            x = np.zeros([r.choice([1, 1, 2, 3, 4, 6]) if r.random() > .05 else 0 for _ in range(rank)], r.choice([f, np.int64]))
            target = [r.choice([-1, 0, 1, 2, 3, 4, 6, 8]) for _ in range(r.randint(0, 4))]
            self.add("Reshape", r.choice([5, 13, 14, 19]), [x, np.array(target, np.int64)], allowzero=None)
            self.add("Reshape", 14, [x, np.array(target, np.int64)], allowzero=1)
            ones = [i for i, d in enumerate(x.shape) if d == 1]
            some = r.sample(ones, r.randint(0, len(ones)))
            self.add("Squeeze", r.choice([1, 11]), [x], axes=some or None)
            self.add("Squeeze", r.choice([13, 21]), [x, np.array([a - r.choice([0, rank]) for a in some], np.int64) if some else None])
            n = r.randint(1, 3)
            new = r.sample(range(rank + n), n)
            self.add("Unsqueeze", r.choice([1, 11]), [x], axes=new)
            self.add("Unsqueeze", r.choice([13, 21]), [x, np.array([a - r.choice([0, rank + n]) for a in new], np.int64)])
            self.add("Flatten", r.choice([1, 9]), [x.astype(f)], axis=r.randint(0, rank))
            self.add("Flatten", r.choice([11, 13]), [x], axis=r.randint(-rank, rank))
            perm = r.sample(range(rank), rank)
            self.add("Transpose", r.choice([1, 13]), [x], perm=r.choice([perm, perm, None]))
            self.add("Expand", r.choice([8, 13]), [x, np.array([r.choice([1, 1, 2, 3]) for _ in range(r.randint(0, 4))], np.int64)])
            self.add("Shape", r.choice([1, 13]), [x])
            self.add("Shape", 15, [x], start=r.randint(-5, 5), end=r.choice([None, r.randint(-5, 5)]))
            self.add("Size", 13, [x])
            self.add("ConstantOfShape", 9, [np.array(x.shape, np.int64)], value=r.choice([None, numpy_helper.from_array(np.array([r.randint(-3, 9)], np.int64))]))

    def reductions(self):
        f, r = np.float32, self.rng
        ops = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"]
        for op in ops:
            for _ in range(14):
                rank = r.randint(1, 4)
                x = np.ones([r.randint(1, 4) for _ in range(rank)], f if op != "ReduceProd" else r.choice([f, np.int64]))
                axes = r.sample(range(rank), r.randint(1, rank))
                keep = r.choice([None, 0, 1])
                self.add(op, r.choice([7, 11] + ([13] if op != "ReduceSum" else [])), [x], axes=r.choice([axes, axes, None]), keepdims=keep)
                given = r.choice([np.array([a - r.choice([0, rank]) for a in axes], np.int64), None, np.zeros([0], np.int64)])
                self.add(op, 18 if op != "ReduceSum" else r.choice([13, 18]), [x, given], keepdims=keep, noop_with_empty_axes=r.choice([None, 0, 1]))
        for _ in range(30):
            rank = r.randint(1, 4)
            x = np.ones([r.randint(1, 4) for _ in range(rank)], f)
            for op in ("ArgMax", "ArgMin"):
                self.add(op, r.choice([7, 11, 13]), [x], axis=r.choice([None, r.randrange(rank)]), keepdims=r.choice([None, 0, 1]))
            a = r.randrange(rank)
            k = r.randint(0, x.shape[a])
            self.add("TopK", r.choice([10, 11]), [x, np.array([k], np.int64)], outputs=2, axis=a)
            self.add("TopK", 7, [x], outputs=2, axis=a, k=max(k, 1))
            self.add("Softmax", r.choice([7, 11, 13]), [x], axis=r.choice([None, a]))
            self.add("OneHot", r.choice([9, 11]), [x.astype(np.int64), np.array(r.randint(1, 5), np.int64), np.array([0, 1], f)], axis=r.choice([None, r.randint(-rank - 1, rank)]))
            self.add("Compress", 11, [x, np.array([True, False])], axis=r.choice([None, a]) if x.shape[a] > 1 else None)
            self.add("CumSum", 14, [x, np.array(a, np.int64)])
            idx = np.zeros([r.randint(0, 3) for _ in range(r.randint(0, 2))], r.choice([np.int64, np.int32]))
            self.add("Gather", r.choice([7, 11, 13]), [x, idx], axis=r.choice([None, a]))
            self.add("GatherElements", 13, [x, np.zeros([max(d - 1, 0) for d in x.shape], np.int64)], axis=a)
            b = r.randint(0, rank - 1)
            last = r.randint(1, rank - b)
            self.add("GatherND", 13, [x, np.zeros(list(x.shape[:b]) + [2] * r.randint(0, 2) + [last], np.int64)], batch_dims=b)
            self.add("ScatterND", 13, [x, np.zeros([2, rank], np.int64), np.zeros([2], f)])
            self.add("NonZero", 13, [x.astype(np.int64)])
            self.add("Unique", 11, [x], outputs=r.randint(1, 4), axis=r.choice([None, a]))

    def products(self):
        f, r = np.float32, self.rng
        shapes = [[3], [1, 3], [3, 4], [2, 3, 4], [4], [4, 3], [1, 4, 3], [2, 1, 4, 5], [3, 2, 3, 4], [2, 4, 3]]
        for a, b in itertools.product(shapes, shapes):
            self.add("MatMul", r.choice([9, 13]), [np.zeros(a, f), np.zeros(b, f)])
            self.add("Add", r.choice([7, 13, 14]), [np.zeros(a, f), np.zeros(b, f)])
            self.add("Where", r.choice([9, 16]), [np.zeros(b, bool), np.zeros(a, f), np.zeros([1], f)])
            self.add("Max", r.choice([8, 13]), [np.zeros(a, f), np.zeros(b, f), np.zeros([], f)])
        for ta, tb in itertools.product([None, 0, 1], [None, 0, 1]):
            a = np.zeros([4, 3] if ta else [3, 4], f)
            b = np.zeros([5, 4] if tb else [4, 5], f)
            self.add("Gemm", r.choice([7, 9, 11, 13]), [a, b, np.zeros(r.choice([[5], [1, 5], [3, 1], [1]]), f)], transA=ta, transB=tb)
        for eq, dims in [("ij,jk->ik", [[2, 3], [3, 4]]), ("bij,bjk", [[5, 2, 3], [5, 3, 4]]), ("...ij,...jk->...ik", [[2, 1, 2, 3], [5, 3, 4]]), ("ii->i", [[3, 3]]),
                         ("i,i", [[3], [3]]), ("bhid,bhjd->bhij", [[1, 2, 3, 4], [1, 2, 5, 4]]), ("...", [[2, 3]]), ("b...->...b", [[2, 3, 4]]), ("ij->", [[2, 3]])]:
            self.add("Einsum", 12, [np.zeros(d, f) for d in dims], equation=eq)
        for t in (np.uint8, np.int8):
            self.add("MatMulInteger", 10, [np.zeros([2, 3, 4], t), np.zeros([4, 5], t)])
        for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mod", "Equal", "Less", "Greater"):
            for _ in range(8):
                t = r.choice([np.int64, np.int32])
                a = np.array([r.randint(-9, 9) for _ in range(3)], t)
                b = np.array([r.choice([-3, -2, -1, 1, 2, 5]) for _ in range(r.choice([1, 3]))], t)
                self.add(op, 14 if op != "Mod" else 13, [a, b], fmod=r.choice([None, 1]) if op == "Mod" else None)
                if op not in ("Mod", "Max", "Min", "Equal", "Less", "Greater"):
                    self.add(op, 14, [a.astype(f) / 3, b.astype(f) * f(0.3)])
        for t in (T.INT64, T.INT32, T.BOOL, T.FLOAT, T.DOUBLE, T.UINT8):
            self.add("Cast", 13, [np.array([-2.5, 1.9, 0, 3], f)], to=t)
            self.add("Cast", 13, [np.array([-2, 1, 0, 3], np.int64)], to=t)
        for op in ("Floor", "Ceil", "Round", "Sqrt", "Reciprocal", "Abs", "Neg", "Sign"):
            self.add(op, 13, [np.array([0.5, 1.5, 2.5, 7.3], f)])
        for a, b, c in [(0, 5, 1), (3, 10, 3), (10, 0, -3), (5, 5, 1), (0, -4, 1), (0, 9, 2)]:
            for t in (np.int64, np.int32, f):
                self.add("Range", 11, [np.array(a, t), np.array(b, t), np.array(c, t)])
        self.add("Range", 11, [np.array(0, f), np.array(1, f), np.array(0.3, f)])

    def recurrent(self):
        f, r = np.float32, self.rng
        for op, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
            for _ in range(8):
                seq, batch, size, hidden = (r.randint(1, 4) for _ in range(4))
                direction = r.choice(["forward", "reverse", "bidirectional"])
                d = 2 if direction == "bidirectional" else 1
                layout = None
                self.add(op, r.choice([7, 14]), [np.zeros([seq, batch, size], f), np.zeros([d, gates * hidden, size], f), np.zeros([d, gates * hidden, hidden], f)],
                         outputs=3 if op == "LSTM" else 2, hidden_size=hidden, direction=direction, layout=layout)

    def others(self):
        f, r = np.float32, self.rng
        x = np.zeros([2, 4, 6, 6], f)
        c = np.ones([4], f)
        self.add("BatchNormalization", 9, [x, c, c, c, c])
        self.add("BatchNormalization", 15, [x, c, c, c, c])
        self.add("BatchNormalization", 15, [x, c, c, c, c], outputs=3, training_mode=1)
        self.add("InstanceNormalization", 6, [x, c, c])
        self.add("GroupNormalization", 21, [x, c, c], num_groups=2)
        for a in (-1, 1, 2):
            w = np.ones(x.shape[a:], f)
            self.add("LayerNormalization", 17, [x, w, w], outputs=r.choice([1, 3]), axis=a)
        self.add("LRN", 7, [x], size=3)
        self.add("LpNormalization", 7, [x])
        self.add("MeanVarianceNormalization", 9, [x])
        self.add("DepthToSpace", 11, [x], blocksize=2)
        self.add("SpaceToDepth", 13, [x], blocksize=3)
        self.add("Dropout", 7, [x])
        self.add("Dropout", 10, [x], outputs=2)
        self.add("Dropout", 13, [x], outputs=2)
        self.add("Clip", 6, [x], min=0.0)
        self.add("Clip", 13, [np.array([-3, 0, 9], np.int64), np.array(0, np.int64), np.array(5, np.int64)])
        self.add("PRelu", 9, [x, np.zeros([4, 1, 1], f)])
        self.add("EyeLike", 9, [np.zeros([2, 3], np.int64)], dtype=1)
        self.add("Trilu", 14, [np.zeros([2, 3], f)])
        self.add("ReverseSequence", 10, [np.zeros([3, 2], f), np.array([1, 2], np.int64)])
        self.add("IsNaN", 13, [x])
        self.add("Erf", 13, [x])
        self.add("RoiAlign", 16, [x, np.zeros([3, 4], f), np.zeros([3], np.int64)], output_height=2, output_width=5)
        self.add("MaxRoiPool", 1, [x, np.zeros([3, 5], f)], pooled_shape=[2, 5])
        self.add("GridSample", 16, [x, np.zeros([2, 3, 5, 2], f)])
        self.add("GridSample", 20, [np.zeros([2, 4, 3, 3, 3], f), np.zeros([2, 2, 3, 5, 3], f)])
        self.add("NonMaxSuppression", 11, [np.array([[[0, 0, 1, 1], [2, 2, 3, 3]]], f), np.ones([1, 1, 2], f), np.array(5, np.int64)])
        self.add("MaxUnpool", 11, [np.zeros([1, 1, 2, 2], f), np.zeros([1, 1, 2, 2], np.int64)], kernel_shape=[2, 2], strides=[2, 2])
        self.add("RandomNormal", 1, [], shape=[2, 3])
        self.add("RandomUniformLike", 1, [x], dtype=11)
        self.add("Multinomial", 7, [np.zeros([2, 5], f)], sample_size=3)
        self.add("Bernoulli", 15, [x], dtype=9)
        self.add("Det", 11, [np.zeros([2, 3, 3], f)])
        q = np.array(0, np.int8)
        s = np.array(0.1, f)
        self.add("QuantizeLinear", 10, [x, s, q])
        self.add("QuantizeLinear", 13, [x, s])
        self.add("QuantizeLinear", 21, [x, s], output_dtype=int(T.INT8))
        self.add("DequantizeLinear", 13, [np.zeros([2, 3], np.uint8), s, np.array(3, np.uint8)])
        self.add("DynamicQuantizeLinear", 11, [x], outputs=3)
        u = np.array(0, np.uint8)
        self.add("QLinearConv", 10, [x.astype(np.uint8), s, u, np.zeros([8, 4, 3, 3], np.int8), s, q, s, u], pads=[1, 1, 1, 1], strides=[2, 2])
        self.add("QLinearMatMul", 10, [np.zeros([2, 3], np.uint8), s, u, np.zeros([3, 5], np.uint8), s, u, s, u])
        self.add("STFT", 17, [np.zeros([1, 40, 1], f), np.array(8, np.int64), np.ones([16], f)])
        self.add("DFT", 17, [np.zeros([2, 10, 1], f)], onesided=1)
        self.add("HannWindow", 17, [np.array(10, np.int64)])
        self.add("MelWeightMatrix", 17, [np.array(8, np.int64), np.array(16, np.int64), np.array(8192, np.int64), np.array(0, f), np.array(4096, f)])


def main():
    sweep = Sweep()
    for part in (sweep.windows, sweep.resizes, sweep.cuts, sweep.reshapes, sweep.reductions, sweep.products, sweep.recurrent, sweep.others):
        part()
    rows = [r for r in node_tests() if r is not None] + sweep.rows
    path = os.path.join(HERE, "operators.jsonl.gz")
    text = "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in rows)
    with open(path, "wb") as f:
        f.write(gzip.compress(text.encode(), mtime=0))
    print(f"{len(rows)} cases of {len({r['op'] for r in rows})} operators, {os.path.getsize(path)} bytes")
    for (op, version), why in sorted(sweep.refused.items()):
        print(f"refused: {op}-{version} {len(why)} times: {why[0]}")


if __name__ == "__main__":
    main()
