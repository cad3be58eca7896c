// Package hash has hashes that stay: the same key gives the same result in every version of this package, on every
// machine, and in a module in another language.
//
// They spread keys evenly; they keep no secret. Everything builds on XXH64 with seed 0.
package hash

import (
	"cmp"
	"slices"
)

// Of is a hash of a key: XXH64 with seed 0.
func Of(key string) uint64 { return xxh64(key, 0) }

// Percent is where a key lies from 0 (included) to 100 (excluded). Percent(key) < 10 holds for a tenth of all keys, and
// for these still when 10 becomes 20.
//
// Two experiments that share keys should not share their tenth: put the experiment's name in the key.
func Percent(key string) float64 {
	// The upper 53 bits: a float64 holds them exactly.
	return float64(Of(key)>>11) / (1 << 53) * 100
}

// Pick is the node that a key belongs to. False without nodes.
//
// A consistent hash: when a node is removed, only its keys move; a new one takes its share and no other key moves.
// The order of the nodes does not matter.
func Pick(key string, nodes []string) (string, bool) {
	if len(nodes) == 0 {
		return "", false
	}
	return slices.MinFunc(nodes, order(key)), true
}

// Rank is all nodes in a key's own order, the first of them Pick's: where the key goes if the ones before fail.
func Rank(key string, nodes []string) []string {
	ranked := slices.Clone(nodes)
	slices.SortFunc(ranked, order(key))
	return ranked
}

// Rendezvous hashing: each node draws a number for the key, XXH64 of its name with the key's hash as the seed, and the
// highest wins. The name itself decides between equal numbers.
func order(key string) func(a, b string) int {
	seed := Of(key)
	return func(a, b string) int {
		return cmp.Or(cmp.Compare(xxh64(b, seed), xxh64(a, seed)), cmp.Compare(b, a))
	}
}
