// Package opset raises models to later versions of the ai.onnx operator set.
// It rewrites every operator whose meaning or signature changed on the way, in
// the main graph, in subgraphs and in model-local functions; it is never a
// mere change of the version number.
//
// Raising is all or nothing: the whole conversion is rehearsed on a copy of
// the topology first, and what blocks it is reported node by node.
package opset
