// Package palette stores weights as indices into a table of few values, which
// is what Core ML calls palettization, and others codebooks or weight sharing.
// ONNX has no operator for it; Cast, Gather and Reshape of opset 13 do it in
// every runtime:
//
//	weight = Reshape(Gather(table, Cast(codes))) * scale
//
// Codes are bytes. One byte holds one code of up to 256 entries, two of up to
// 16 or four of up to 4: then the table is widened at load to all combinations
// of entries that a byte can name, so that no arithmetic on bits is needed.
//
// A Format fits tables, scales and codes as package weights asks; Find
// recognises what is stored so, and Expand writes it out again.
package palette
