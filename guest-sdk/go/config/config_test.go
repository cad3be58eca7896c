package config_test

import (
	"reflect"
	"testing"

	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/pointsmantest"
)

func equal[T any](t *testing.T, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v (%v), not %v", got, err, want)
		}
	}
}

func fails[T any](t *testing.T, message string) func(T, error) {
	return func(_ T, err error) {
		t.Helper()
		if err == nil || err.Error() != message {
			t.Errorf("%v, not %s", err, message)
		}
	}
}

func TestValuesAreFoundByTheirPointer(t *testing.T) {
	pointsmantest.New(t).Config(`{"name": "shop", "on": true, "off": false, "ports": [80, 81], "upstreams": ["a:1", "b:2"],
		"share": 2.5, "deep": {"a/b": {"~": ["x", "<"]}}, "none": []}`)
	equal(t, "shop")(config.Text("/name"))
	equal(t, "shop")(config.TextOr("/name", "mall"))
	equal(t, []string{"a:1", "b:2"})(config.Texts("/upstreams"))
	equal(t, []string{})(config.Texts("/none"))
	equal(t, uint16(81))(config.Number[uint16]("/ports/1"))
	equal(t, 2.5)(config.Number[float64]("/share"))
	equal(t, -1)(config.NumberOr("/absent", -1))
	equal(t, true)(config.Flag("/on"))
	equal(t, false)(config.Flag("/off"))
	equal(t, "<")(config.Text("/deep/a~1b/~0/1"))
	for pointer, want := range map[string]string{"/ports": "[80,81]", "/deep/a~1b": `{"~":["x","<"]}`, "/name": `"shop"`} {
		if got, ok := config.Get(pointer); got != want || !ok {
			t.Errorf("%s: %s", pointer, got)
		}
	}
	for _, pointer := range []string{"name", "/ports/2", "/ports/01", "/ports/-1", "/ports/+0", "/name/x", "/deep/a"} {
		if got, ok := config.Get(pointer); ok {
			t.Errorf("%s: %s", pointer, got)
		}
	}
}

func TestDefaultsReplaceAbsentValues(t *testing.T) {
	pointsmantest.New(t)
	equal(t, "shop")(config.TextOr("/name", "shop"))
	equal(t, 10)(config.NumberOr("/percent", 10))
	equal(t, false)(config.Flag("/on"))
	if got := config.JSON(); got != "{}" {
		t.Error(got)
	}
}

func TestAMissingValueIsNamed(t *testing.T) {
	pointsmantest.New(t)
	fails[string](t, "config: `/name` is missing")(config.Text("/name"))
	fails[[]string](t, "config: `/names` is missing")(config.Texts("/names"))
	fails[uint16](t, "config: `/port` is missing")(config.Number[uint16]("/port"))
}

func TestAValueOfTheWrongTypeIsAnErrorEvenWithADefault(t *testing.T) {
	pointsmantest.New(t).Config(`{"text": "80", "number": 80.5, "large": 70000, "negative": -1, "list": ["a", 1]}`)
	fails[string](t, "config: `/number` is `80.5`, not a text")(config.TextOr("/number", ""))
	fails[[]string](t, "config: `/text` is `\"80\"`, not a list")(config.Texts("/text"))
	fails[[]string](t, "config: `/list/1` is `1`, not a text")(config.Texts("/list"))
	fails[float64](t, "config: `/text` is `\"80\"`, not a number")(config.Number[float64]("/text"))
	fails[int](t, "config: `/text` is `\"80\"`, not a whole number")(config.NumberOr("/text", 1))
	fails[uint16](t, "config: `/number` is `80.5`, not a whole number of 0 or more")(config.NumberOr[uint16]("/number", 1))
	fails[uint16](t, "config: `/large` is `70000`, not within the range of what it stands for")(config.Number[uint16]("/large"))
	fails[uint16](t, "config: `/negative` is `-1`, not a whole number of 0 or more")(config.Number[uint16]("/negative"))
	fails[bool](t, "config: `/text` is `\"80\"`, not true or false")(config.Flag("/text"))
}
