// Package weights stores the weights of a model in fewer bits while all
// arithmetic stays in float. It finds the weights (Find), fits a Format to each
// of them, alone (Item.Plain) or one layer after another on samples (Walk), and
// writes the stored forms into the graph (Item.Store). Passes choose the formats.
//
// A weight is seen as a matrix [Channels, Cols], whatever its layout in the
// file: see Layout. Formats round elements of that matrix and write nodes that
// compute the rounded tensor in the file's layout.
package weights
