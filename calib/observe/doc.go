// Package observe reduces arrays of float32 to statistics of fixed size that
// merge independent of order: moments, dyadic histograms and exact sums. It
// knows nothing about models.
package observe
