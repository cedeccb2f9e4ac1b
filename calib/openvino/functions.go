package openvino

// function is an entry of functionNames.
type function int

// The functions in use.
const (
	getLastErrMsg function = iota
	free
	getOpenvinoVersion
	versionFree
	coreCreate
	coreSetProperty
	coreReadModel
	coreCompileModel
	modelFree
	modelReshape
	modelConstInputByName
	modelConstOutputByName
	outputConstPortFree
	portGetElementType
	portGetPartialShape
	partialShapeCreateStatic
	partialShapeFree
	compiledModelCreateInferRequest
	compiledModelFree
	inferRequestSetTensor
	inferRequestGetTensor
	inferRequestInfer
	inferRequestCancel
	inferRequestFree
	tensorCreate
	tensorCreateFromHostPtr
	tensorGetElementType
	tensorGetShape
	tensorGetByteSize
	tensorData
	tensorFree
	shapeFree

	functionCount
)

var functionNames = [functionCount]string{
	getLastErrMsg:                   "ov_get_last_err_msg",
	free:                            "ov_free",
	getOpenvinoVersion:              "ov_get_openvino_version",
	versionFree:                     "ov_version_free",
	coreCreate:                      "ov_core_create",
	coreSetProperty:                 "ov_core_set_property",
	coreReadModel:                   "ov_core_read_model",
	coreCompileModel:                "ov_core_compile_model",
	modelFree:                       "ov_model_free",
	modelReshape:                    "ov_model_reshape",
	modelConstInputByName:           "ov_model_const_input_by_name",
	modelConstOutputByName:          "ov_model_const_output_by_name",
	outputConstPortFree:             "ov_output_const_port_free",
	portGetElementType:              "ov_port_get_element_type",
	portGetPartialShape:             "ov_port_get_partial_shape",
	partialShapeCreateStatic:        "ov_partial_shape_create_static",
	partialShapeFree:                "ov_partial_shape_free",
	compiledModelCreateInferRequest: "ov_compiled_model_create_infer_request",
	compiledModelFree:               "ov_compiled_model_free",
	inferRequestSetTensor:           "ov_infer_request_set_tensor",
	inferRequestGetTensor:           "ov_infer_request_get_tensor",
	inferRequestInfer:               "ov_infer_request_infer",
	inferRequestCancel:              "ov_infer_request_cancel",
	inferRequestFree:                "ov_infer_request_free",
	tensorCreate:                    "ov_tensor_create",
	tensorCreateFromHostPtr:         "ov_tensor_create_from_host_ptr",
	tensorGetElementType:            "ov_tensor_get_element_type",
	tensorGetShape:                  "ov_tensor_get_shape",
	tensorGetByteSize:               "ov_tensor_get_byte_size",
	tensorData:                      "ov_tensor_data",
	tensorFree:                      "ov_tensor_free",
	shapeFree:                       "ov_shape_free",
}
