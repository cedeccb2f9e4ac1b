// Package probe measures what the outputs of a model lose when one part of it
// is changed alone: a layer in 8 bits, or in any other format. Passes that
// choose formats layer by layer rank their candidates with it.
package probe
