// Package mixed is the pass that chooses a storage format for every layer's
// weights by measurement, so that the file meets a size at the least damage, or
// a quality at the least size.
//
// Every group of weights has a menu of forms with their true bytes. One form of
// middle size is tried in each group alone, on samples; its damage is carried
// over to the other forms by the ratio of the weights' errors. The lower convex
// hulls of all menus make a ladder of assignments (see ladder). A size is met by
// climbing it, a quality by searching the first rung that holds; what counts is
// measured on the whole stored model, against uniform assignments as well.
package mixed
