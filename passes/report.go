package passes

// StepReport is what one step did.
type StepReport struct{}
