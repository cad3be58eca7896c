package millis

import (
	"math"
	"testing"
	"time"
)

func TestTimesAreRoundedUpAndBounded(t *testing.T) {
	for in, want := range map[time.Duration]uint32{
		0:                       0,
		1:                       1,
		-time.Hour:              0,
		1500 * time.Microsecond: 2,
		24 * time.Hour:          86_400_000,
		math.MaxInt64:           math.MaxUint32,
		time.Duration(math.MaxUint32) * time.Millisecond: math.MaxUint32,
	} {
		if got := Of(in); got != want {
			t.Errorf("%v: %d, not %d", in, got, want)
		}
	}
	if got := Whole(1500*time.Millisecond, time.Second); got != 2 {
		t.Error(got)
	}
}
