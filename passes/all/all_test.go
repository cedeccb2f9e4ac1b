package all

import "testing"

func TestSetIsValid(t *testing.T) {
	if err := Set().Validate(); err != nil {
		t.Fatal(err)
	}
}
