package hash

import "math/bits"

const (
	prime1 uint64 = 0x9e3779b185ebca87
	prime2 uint64 = 0xc2b2ae3d27d4eb4f
	prime3 uint64 = 0x165667b19e3779f9
	prime4 uint64 = 0x85ebca77c2b2ae63
	prime5 uint64 = 0x27d4eb2f165667c5
)

func xxh64(text string, seed uint64) uint64 {
	length := uint64(len(text))
	hash := seed + prime5
	if len(text) >= 32 {
		lanes := [4]uint64{seed + prime1 + prime2, seed + prime2, seed, seed - prime1}
		for ; len(text) >= 32; text = text[32:] {
			for i := range lanes {
				lanes[i] = round(lanes[i], word64(text[8*i:]))
			}
		}
		hash = bits.RotateLeft64(lanes[0], 1) + bits.RotateLeft64(lanes[1], 7) +
			bits.RotateLeft64(lanes[2], 12) + bits.RotateLeft64(lanes[3], 18)
		for _, lane := range lanes {
			hash = (hash^round(0, lane))*prime1 + prime4
		}
	}
	hash += length
	for ; len(text) >= 8; text = text[8:] {
		hash = bits.RotateLeft64(hash^round(0, word64(text)), 27)*prime1 + prime4
	}
	if len(text) >= 4 {
		hash = bits.RotateLeft64(hash^word32(text)*prime1, 23)*prime2 + prime3
		text = text[4:]
	}
	for i := range len(text) {
		hash = bits.RotateLeft64(hash^uint64(text[i])*prime5, 11) * prime1
	}
	hash = (hash ^ hash>>33) * prime2
	hash = (hash ^ hash>>29) * prime3
	return hash ^ hash>>32
}

func round(lane, word uint64) uint64 { return bits.RotateLeft64(lane+word*prime2, 31) * prime1 }

func word32(text string) uint64 {
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24
}

func word64(text string) uint64 { return word32(text) | word32(text[4:])<<32 }
