// Package text reads and writes models in the textual syntax of ONNX
// (docs/Syntax.md of onnx/onnx): one line per node, one per initializer. Tests
// are written in it, dump prints it, and git can compare models through it.
//
//	<
//	   ir_version: 9,
//	   opset_import: ["" : 19]
//	>
//	main (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
//	<
//	   float[4, 3, 3, 3] w = random(1)
//	>
//	{
//	   [conv1] y = Conv <pads = [1, 1, 1, 1]> (x, w)
//	}
//
// What the official parser reads is read here. Beyond it this package has:
//
//   - content that is computed: random(seed), random(seed, low, high),
//     fill(value), range(start, step). See Generated.
//   - decimal literals for the float types of 16 and fewer bits (an integer is the bit
//     pattern, as in the official syntax), and one literal per element for
//     the types of 4 and 2 bits.
//   - sparse tensors: sparse_tensor(float[9]) s = { float[2] {1, 2}, int64[2] {0, 5} }.
//   - lists of tensors, graphs and types as attribute values.
//   - quoted names wherever a name stands, and the escapes \n, \r, \t and
//     \xHH in strings, which keep hostile names on one line.
//   - nan(bits), a NaN with a payload.
//
// The text carries neither documentation strings nor metadata below the
// model and functions, nor denotations, quantization annotations, training
// information, device configurations and unknown fields. For everything else
// Parse(String(m)) equals m.
package text
