package calib

// Calibration answers requests for statistics of values: it adds the values to
// a clone of the model as outputs, streams the samples through the Runner once
// and feeds observers.
type Calibration struct{}
