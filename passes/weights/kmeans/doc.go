// Package kmeans clusters numbers into k groups with the least weighted sum
// of squared distances from their means. In one dimension that optimum is
// computed, not searched for: equal numbers give equal centres, without a seed
// and without empty clusters. Pairs of numbers are clustered by refinement
// from a start that follows from the data.
package kmeans
