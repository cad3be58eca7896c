package pointsman

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestAPanicIsAnErrorWithTextAndPlaces(t *testing.T) {
	project, _ = os.Getwd()
	project += "/"
	table := []string{}
	for want, act := range map[string]func(){
		`^panic: the table is empty at panic_test\.go:\d+$`:                                   func() { panic("the table is empty") },
		`^panic: runtime error: index out of range \[2\] with length 0 at panic_test.go:\d+$`: func() { _ = table[len(os.Args[0:1])+1] },
		`^panic: strings: negative Repeat count at .*strings\.go:\d+, panic_test.go:\d+`:      func() { strings.Repeat("x", -len(os.Args)) },
		`^panic: no such shop at `:               func() { panic(errors.New("no such shop")) },
		`^panic: a value that is not a text at `: func() { panic(7) },
	} {
		if err := panicking(act); err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%v does not match %s", err, want)
		}
	}
	if err := panicking(func() {}); err != nil {
		t.Error(err)
	}
}

func panicking(act func()) (err error) {
	defer caught(&err, "pointsman.dev/pointsman.panicking")
	act()
	return nil
}
