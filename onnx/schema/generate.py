#!/usr/bin/env python3
"""Write operators.txt, the operator table of package schema.

Run in this folder with a Python that has the PyPI package `onnx`:

    python3 -m venv v && v/bin/pip install onnx==1.23.2
    v/bin/python generate.py

The table holds facts only: names, versions, arity, attributes, allowed types.
Its line format is described in decode.go. The output depends on nothing but
the version of `onnx`; running it twice gives the same bytes.
"""
import json
import os
import re

import onnx
from onnx import defs

OPTION = defs.OpSchema.FormalParameterOption
ATTR = {"FLOAT": "f", "INT": "i", "STRING": "s", "TENSOR": "t", "GRAPH": "g", "FLOATS": "fs", "INTS": "is",
        "STRINGS": "ss", "TENSORS": "ts", "GRAPHS": "gs", "SPARSE_TENSOR": "st", "SPARSE_TENSORS": "sts",
        "TYPE_PROTO": "tp", "TYPE_PROTOS": "tps"}
KINDS = (("t", r"tensor\((\w+)\)"), ("s", r"seq\(tensor\((\w+)\)\)"), ("o", r"optional\(tensor\((\w+)\)\)"),
         ("os", r"optional\(seq\(tensor\((\w+)\)\)\)"))


def number(element):
    """The TensorProto.DataType of an element type as schemas write it."""
    return onnx.TensorProto.DataType.Value(element.upper())


def type_set(strings):
    """One line per distinct set: a hexadecimal bit mask for each kind, then maps."""
    masks, maps = {}, []
    for s in strings:
        for kind, pattern in KINDS:
            m = re.fullmatch(pattern, s)
            if m:
                masks[kind] = masks.get(kind, 0) | 1 << number(m.group(1))
                break
        else:
            assert "map(" in s, s
            maps.append(s.replace(" ", ""))
    return " ".join([f"{k}:{masks[k]:x}" for k, _ in KINDS if k in masks] + sorted(maps))


def quoted(b):
    """A string in double quotes, as strconv.Unquote reads it."""
    return json.dumps(b.decode())


def default(a):
    """The default value of an attribute as text, None when it has none."""
    v = a.default_value
    kind = ATTR[a.type.name]
    if v.type == 0:
        return None
    if kind == "f":
        return repr(float("%.9g" % v.f))
    if kind == "i":
        return str(v.i)
    if kind == "s":
        return quoted(v.s)
    if kind == "fs":
        return ",".join(repr(float("%.9g" % x)) for x in v.floats)
    if kind == "is":
        return ",".join(map(str, v.ints))
    if kind == "ss":
        return ",".join(quoted(x) for x in v.strings)
    if kind == "t":
        return None  # a few ai.onnx.ml operators; their content is of no use here
    raise ValueError(a)


def arity(params):
    """Least and greatest count, by the rule that decode.go uses."""
    low, high = 0, 0
    for i, p in enumerate(params):
        high += 1
        if p.option == OPTION.Single:
            low = high
        if p.option == OPTION.Variadic:
            low, high = i + p.min_arity, 2147483647
    return low, high


def parameter(kind, p):
    mark = {OPTION.Single: "", OPTION.Optional: "?", OPTION.Variadic: "*" if p.is_homogeneous else "!"}[p.option]
    tail = f" {p.min_arity}" if p.option == OPTION.Variadic else ""
    return f"{kind} {mark}{p.name} {p.type_str.replace(' ', '')}{tail}"


def operator(s, sets):
    assert arity(s.inputs) == (s.min_input, s.max_input), s.name
    assert arity(s.outputs) == (s.min_output, s.max_output), s.name
    lines = [f"op {s.name} {s.since_version}" + (" deprecated" if s.deprecated else "")]
    lines += [parameter("i", p) for p in s.inputs] + [parameter("o", p) for p in s.outputs]
    for name in sorted(s.attributes):
        a = s.attributes[name]
        d = default(a)
        lines.append(f"a {'!' if a.required else ''}{name} {ATTR[a.type.name]}" + ("" if d is None else " " + d))
    constraints = [(t.type_param_str, t.allowed_type_strs) for t in s.type_constraints]
    known = {c[0] for c in constraints}
    for p in list(s.inputs) + list(s.outputs):  # a concrete type acts as a constraint of its own
        if p.type_str not in known:
            known.add(p.type_str)
            constraints.append((p.type_str, [p.type_str]))
    for name, strings in constraints:
        text = type_set(strings)
        lines.append(f"t {name.replace(' ', '')} {sets.setdefault(text, len(sets))}")
    return lines


def main():
    schemas = sorted(defs.get_all_schemas_with_history(), key=lambda s: (s.domain, s.name, s.since_version))
    sets, body, domain = {}, [], None
    for s in schemas:
        if s.domain != domain:
            domain = s.domain
            latest = max(x.since_version for x in schemas if x.domain == domain)
            if domain == "":
                latest = defs.onnx_opset_version()
            body.append(f"domain {domain or 'ai.onnx'} {latest}")
        body += operator(s, sets)
    head = [f"# Written by generate.py from onnx {onnx.__version__}; do not edit."]
    head += [f"set {text}" for text in sets]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operators.txt")
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.write("\n".join(head + body) + "\n")


if __name__ == "__main__":
    main()
