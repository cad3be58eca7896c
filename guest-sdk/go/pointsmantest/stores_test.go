package pointsmantest

import (
	"reflect"
	"testing"
	"time"

	"pointsman.dev/pointsman/clock"
	"pointsman.dev/pointsman/log"
	"pointsman.dev/pointsman/random"
	"pointsman.dev/pointsman/shared"
	"pointsman.dev/pointsman/upstreams"
)

func TestEachLineIsRecordedOnceWithItsLevel(t *testing.T) {
	host := New(t)
	log.Info("cart")
	log.Warn("3 left")
	want := []Line{{log.LevelInfo, "cart"}, {log.LevelWarn, "3 left"}}
	if got := host.LogLines(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if got := host.LogLines(); got != nil {
		t.Errorf("again: %v", got)
	}
}

func TestACounterCountsWithinItsTTL(t *testing.T) {
	host := New(t)
	check := func(ms uint64, want int64) {
		t.Helper()
		host.Clock(ms)
		if sum, err := shared.AddFor(time.Second, "hits", 1); sum != want || err != nil {
			t.Errorf("at %d: %d, %v", ms, sum, err)
		}
	}
	check(1000, 1)
	check(1999, 2)
	check(2000, 1)
	if now := clock.Now(); clock.NowMs() != 2000 || now.UnixMilli() != 2000 {
		t.Errorf("the clock shows %v", now)
	}
}

func TestACounterKeepsToItsRangeAndKind(t *testing.T) {
	New(t)
	if _, ok := shared.Counter("n"); ok {
		t.Error("there is a counter before it is made")
	}
	if sum, err := shared.Add("n", 1<<63-1); sum != 1<<63-1 || err != nil {
		t.Errorf("%d, %v", sum, err)
	}
	if _, err := shared.Add("n", 1); err != shared.ErrOverflow {
		t.Errorf("%v", err)
	}
	if err := shared.Set("n", nil); err != shared.ErrOtherKind {
		t.Errorf("%v", err)
	}
	if _, err := shared.CompareAndSet("n", nil, nil); err != shared.ErrOtherKind {
		t.Errorf("%v", err)
	}
	if _, err := shared.Add(string(make([]byte, 257)), 1); err != shared.ErrTooLong {
		t.Errorf("%v", err)
	}
}

func TestAValueIsKeptUntilItIsReplacedOrRemoved(t *testing.T) {
	host := New(t)
	swap := func(expected []byte, value string, want bool) {
		t.Helper()
		if swapped, err := shared.CompareAndSet("colour", expected, []byte(value)); swapped != want || err != nil {
			t.Errorf("%v, %v", swapped, err)
		}
	}
	swap([]byte("blue"), "red", false)
	swap(nil, "green", true)
	swap(nil, "red", false)
	swap([]byte("green"), "", true)
	swap([]byte{}, "red", true)
	if value, ok := shared.Get("colour"); string(value) != "red" || !ok {
		t.Errorf("%q, %v", value, ok)
	}
	if _, err := shared.Add("colour", 1); err != shared.ErrOtherKind {
		t.Errorf("%v", err)
	}
	shared.Delete("colour")
	if _, ok := shared.Get("colour"); ok {
		t.Error("it is there after it was removed")
	}
	host.Clock(1000)
	if err := shared.SetFor(time.Millisecond, "colour", []byte("blue")); err != nil {
		t.Error(err)
	}
	host.Clock(1001)
	if _, ok := shared.Get("colour"); ok {
		t.Error("it is there after its time")
	}
	if err := shared.Set("long", make([]byte, 16_385)); err != shared.ErrTooLong {
		t.Errorf("%v", err)
	}
}

func TestNumbersAreWithinTheirRange(t *testing.T) {
	host := New(t)
	host.Random(0, 1<<64-1, 1<<63-1, 7)
	got := []int{random.Below(10), random.Below(10), random.Below(10), random.Below(0), random.Below(-1)}
	if want := []int{0, 9, 4, 0, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

func TestTwoPickedItemsDiffer(t *testing.T) {
	host := New(t)
	seen := map[string]bool{}
	for first := range uint64(3) {
		for second := range uint64(2) {
			host.Random((1<<64-1)/3*first+1000, (1<<64-1)/2*second+1000)
			one, other, ok := random.PickTwo([]string{"a", "b", "c"})
			if one == other || !ok {
				t.Errorf("%s and %s", one, other)
			}
			seen[one+other] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("%v", seen)
	}
	if _, _, ok := random.PickTwo([]int{1}); ok {
		t.Error("two of one")
	}
	if _, ok := random.Pick([]int{}); ok {
		t.Error("one of none")
	}
}

func TestUpstreamsAreAsSetByTheTest(t *testing.T) {
	host := New(t)
	busy := upstreams.Upstream{
		Address: "a:1", Health: upstreams.HealthUnhealthy, InFlight: 7, Latency: new(time.Millisecond),
	}
	host.Upstream(busy)
	host.Group("backends", busy)
	if got := upstreams.Get("a:1"); got != busy {
		t.Errorf("%v", got)
	}
	if got := upstreams.Get("b:2"); got != (upstreams.Upstream{Address: "b:2"}) {
		t.Errorf("%v", got)
	}
	if members, err := upstreams.Group("backends"); len(members) != 1 || err != nil {
		t.Errorf("%v, %v", members, err)
	}
	const want = "there is no group `others`; the operator defines it"
	if _, err := upstreams.Group("others"); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestTheFirstCallWithoutAHostReportsWhatIsMissing(t *testing.T) {
	defer func() {
		if recover() != "there is no host here: call pointsmantest.New(t) at the start of the test" {
			t.Error("another panic, or none")
		}
	}()
	log.Info("lost")
}
