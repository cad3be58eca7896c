// Package random is unpredictable numbers. For a choice that one visitor keeps, see package hash.
//
// Not math/rand: its state is part of the memory with which every decision starts, so each would draw the same numbers.
package random

import "math/bits"

// Bits is 64 random bits.
func Bits() uint64 { return hostBits() }

// Below is a number from 0 to end, without end itself; 0 if that is 0 or less. One is as likely as another, but for one
// part in 2^64 / end.
func Below(end int) int {
	if end <= 0 {
		return 0
	}
	// The upper half of a 128-bit product is below end.
	scaled, _ := bits.Mul64(Bits(), uint64(end))
	return int(scaled)
}

// Pick is one of them. False if there is none.
func Pick[T any](items []T) (item T, ok bool) {
	if len(items) == 0 {
		return item, false
	}
	return items[Below(len(items))], true
}

// PickTwo is two different ones, in random order. False if there are fewer.
func PickTwo[T any](items []T) (first, second T, ok bool) {
	if len(items) < 2 {
		return first, second, false
	}
	one, other := Below(len(items)), Below(len(items)-1)
	if other >= one {
		other++
	}
	return items[one], items[other], true
}
