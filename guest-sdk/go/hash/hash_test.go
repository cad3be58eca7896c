package hash

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var nodes = []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"}

func keys(yield func(string) bool) {
	for n := range 10_000 {
		if !yield("visitor-" + strconv.Itoa(n)) {
			return
		}
	}
}

// Computed with another implementation. They may never change: users' canaries and sessions hang on them.
func TestResultsAreThoseOfEveryOtherVersion(t *testing.T) {
	for key, want := range map[string]uint64{
		"":          0xef46db3751d8e999,
		"a":         0xd24ec4f1a98c6e5b,
		"visitor-1": 0xb7db4eb3b829e88d,
	} {
		if got := Of(key); got != want {
			t.Errorf("%q: %x, not %x", key, got, want)
		}
	}
	if got := Percent("visitor-1"); got != 71.81901158111611 {
		t.Error(got)
	}
	want := []string{nodes[0], nodes[3], nodes[1], nodes[2]}
	if got := Rank("visitor-1", nodes); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
}

// Lengths around each step of the algorithm, computed with another implementation.
func TestEveryLengthIsHashed(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 5)
	for length, want := range lengths {
		if got := Of(text[:length]); got != want {
			t.Errorf("%d bytes: %#x, not %#x", length, got, want)
		}
	}
}

func TestATenthOfTheKeysIsBelowTenPercent(t *testing.T) {
	below := 0
	for key := range keys {
		percent := Percent(key)
		if percent < 0 || percent >= 100 {
			t.Fatalf("%s: %v", key, percent)
		}
		if percent < 10 {
			below++
		}
	}
	if below < 900 || below > 1100 {
		t.Errorf("%d of 10,000", below)
	}
}

func TestNodesGetEqualSharesAndOnlyTheKeysOfALostOneMove(t *testing.T) {
	shares := map[string]int{}
	for key := range keys {
		before, _ := Pick(key, nodes)
		after, _ := Pick(key, nodes[:3])
		if after != before && before != nodes[3] {
			t.Errorf("%s moved from %s to %s", key, before, after)
		}
		shares[before]++
	}
	for _, node := range nodes {
		if shares[node] < 2300 || shares[node] > 2700 {
			t.Errorf("%s: %d of 10,000", node, shares[node])
		}
	}
}

func TestTheOrderOfTheNodesDoesNotMatter(t *testing.T) {
	reversed := slices.Clone(nodes)
	slices.Reverse(reversed)
	for key := range keys {
		rank := Rank(key, nodes)
		if picked, ok := Pick(key, reversed); picked != rank[0] || !ok || !reflect.DeepEqual(rank, Rank(key, reversed)) {
			t.Errorf("%s: %v", key, rank)
		}
	}
}

func TestNoNodeIsPickedWithoutNodes(t *testing.T) {
	if node, ok := Pick("visitor-1", nil); ok || len(Rank("visitor-1", nil)) != 0 {
		t.Error(node)
	}
}

var lengths = map[int]uint64{
	3:  0x1c2dcb4b9024d73d,
	4:  0x4c33072b45647dcb,
	5:  0x34cb4c2ee6166f65,
	7:  0x97ee4fe4a0ff4dfa,
	8:  0xe4ba22a49ad89d3f,
	9:  0x43ecc9248bc07d20,
	12: 0x862e292326b8a4fc,
	15: 0x4bb51a30968e6a4d,
	16: 0x5c5b90c34e376d0b,
	31: 0x1fdfc63febacfde7,
	32: 0x642a94958e71e6c5,
	33: 0xe87684f08d6d0816,
	39: 0xe97f503d26863ecd,
	44: 0x1187118b194fd24a,
	63: 0x3fa8ceec90675311,
	64: 0x1af3ac4760fe2f85,
	65: 0x833cd5aa4efe57a5,
	79: 0x4c0e62e0c1d503a9,
	80: 0x0d4cc7d5057880df,
}
