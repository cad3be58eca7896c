package parse_test

import (
	"reflect"
	"testing"

	"pointsman.dev/pointsman/config/parse"
	"pointsman.dev/pointsman/pointsmantest"
)

type common struct{ Note string }

type site struct {
	Address string `json:"address"`
	Weight  uint8  `json:"weight"`
	common
}

type table struct {
	Percent float64
	On      bool
	Sites   []*site          `json:"sites"`
	ByPath  map[string]*site `json:"by_path"`
	Small   int8
}

func TestTheTableIsReadAsAType(t *testing.T) {
	pointsmantest.New(t).Config(`{"percent": 2.5, "on": true, "sites": [{"address": "a:1", "weight": 7, "note": "x"}],
		"by_path": {"/x": {"address": "b:1"}}}`)
	var got table
	want := table{
		Percent: 2.5, On: true, Sites: []*site{{"a:1", 7, common{"x"}}}, ByPath: map[string]*site{"/x": {Address: "b:1"}},
	}
	if err := parse.Into(&got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v (%v), not %v", got, err, want)
	}
}

func TestWhatIsWrongIsNamedByItsPointer(t *testing.T) {
	host := pointsmantest.New(t)
	for config, want := range map[string]string{
		`{"sites": [{"address": "a:1"}, {"address": 7}]}`: "config: `/sites/1/address` is `7`, not a text",
		`{"sites": [{"weight": "2"}]}`:                    "config: `/sites/0/weight` is `\"2\"`, not a whole number from 0 to 255",
		`{"sites": [{"weight": 256}]}`:                    "config: `/sites/0/weight` is `256`, not a whole number from 0 to 255",
		`{"sites": [{"note": []}]}`:                       "config: `/sites/0/note` is `[]`, not a text",
		`{"sites": {"address": "a:1"}}`:                   "config: `/sites` is `{\"address\":\"a:1\"}`, not a list",
		`{"sites": [{"adress": "a:1"}]}`:                  "config: `/sites/0/adress` is unknown",
		`{"by_path": {"/x~y": {"weight": true}}}`:         "config: `/by_path/~1x~0y/weight` is `true`, not a whole number from 0 to 255",
		`{"by_path": {"/x": 1}}`:                          "config: `/by_path/~1x` is `1`, not a table",
		`{"percent": "20"}`:                               "config: `/percent` is `\"20\"`, not a number",
		`{"small": -129}`:                                 "config: `/small` is `-129`, not a whole number from -128 to 127",
		`{"on": "yes"}`:                                   "config: `/on` is `\"yes\"`, not true or false",
		`{"colour": "green"}`:                             "config: `/colour` is unknown",
	} {
		host.Config(config)
		if err := parse.Into(new(table)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, not %s", config, err, want)
		}
	}
}
