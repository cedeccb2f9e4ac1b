package ort

// apiVersion is the version of OrtApi that is asked for; release 1.18 has it.
const apiVersion = 18

// slot is the position of a function in the OrtApi struct.
type slot int

// The functions in use. Positions are those of the C header, fixed for ever
// once a version of the API is published.
const (
	getErrorCode                     slot = 1
	getErrorMessage                  slot = 2
	createEnv                        slot = 3
	disableTelemetryEvents           slot = 6
	createSession                    slot = 7
	run                              slot = 9
	createSessionOptions             slot = 10
	setOptimizedModelFilePath        slot = 11
	disableMemPattern                slot = 17
	setSessionLogSeverityLevel       slot = 22
	setSessionGraphOptimizationLevel slot = 23
	setIntraOpNumThreads             slot = 24
	setInterOpNumThreads             slot = 25
	sessionGetInputCount             slot = 30
	sessionGetOutputCount            slot = 31
	sessionGetInputTypeInfo          slot = 33
	sessionGetOutputTypeInfo         slot = 34
	sessionGetInputName              slot = 36
	sessionGetOutputName             slot = 37
	createRunOptions                 slot = 39
	runOptionsSetTerminate           slot = 46
	createTensorWithDataAsOrtValue   slot = 49
	getTensorMutableData             slot = 51
	castTypeInfoToTensorInfo         slot = 55
	getOnnxTypeFromTypeInfo          slot = 56
	getTensorElementType             slot = 60
	getDimensionsCount               slot = 61
	getDimensions                    slot = 62
	getSymbolicDimensions            slot = 63
	getTensorTypeAndShape            slot = 65
	createCpuMemoryInfo              slot = 69
	allocatorFree                    slot = 76
	getAllocatorWithDefaultOptions   slot = 78
	releaseEnv                       slot = 92
	releaseStatus                    slot = 93
	releaseMemoryInfo                slot = 94
	releaseSession                   slot = 95
	releaseValue                     slot = 96
	releaseRunOptions                slot = 97
	releaseTypeInfo                  slot = 98
	releaseTensorTypeAndShapeInfo    slot = 99
	releaseSessionOptions            slot = 100
	addSessionConfigEntry            slot = 130

	slotCount = 131
)
