// Package target holds what each consumer of the written file accepts and runs
// fast, as data with a source per row, and the lint that reads the same rows.
package target

// Profile is one target.
type Profile struct{ Name string }
