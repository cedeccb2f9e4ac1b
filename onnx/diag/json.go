package diag

import "encoding/json"

// Level is "error", or "warning" for codes OP80xx.
func (e *Error) Level() string {
	if len(e.Code) == 6 && e.Code[2] == '8' {
		return "warning"
	}
	return "error"
}

// MarshalJSON writes code, level, message, the labelled facts in order, hint and cause.
func (e *Error) MarshalJSON() ([]byte, error) {
	type field struct {
		Label string `json:"label"`
		Text  string `json:"text"`
	}
	doc := struct {
		Code    string  `json:"code"`
		Level   string  `json:"level"`
		Message string  `json:"message"`
		Fields  []field `json:"fields,omitempty"`
		Hint    string  `json:"hint,omitempty"`
		Cause   string  `json:"cause,omitempty"`
	}{Code: e.Code, Level: e.Level(), Message: e.What, Hint: e.Hint}
	for _, f := range e.Fields {
		doc.Fields = append(doc.Fields, field(f))
	}
	if e.Err != nil {
		doc.Cause = e.Err.Error()
	}
	return json.Marshal(doc)
}
