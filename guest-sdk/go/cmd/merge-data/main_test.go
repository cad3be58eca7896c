package main

import (
	"bytes"
	"testing"
)

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

func module(sections ...[]byte) []byte {
	return append(bytes.Clone(header), bytes.Join(sections, nil)...)
}

func TestSegmentsBecomeOne(t *testing.T) {
	memory := []byte{5, 3, 1, 0, 1}
	custom := []byte{0, 3, 1, 'a', 7}
	// Nothing at 1027, "c" at 1029, "ab" at 1024.
	data := []byte{11, 22, 3,
		0, 0x41, 0x83, 0x08, 0x0b, 0,
		0, 0x41, 0x85, 0x08, 0x0b, 1, 'c',
		0, 0x41, 0x80, 0x08, 0x0b, 2, 'a', 'b'}
	one := []byte{11, 13, 1, 0, 0x41, 0x80, 0x08, 0x0b, 6, 'a', 'b', 0, 0, 0, 'c'}
	want := module(memory, one, custom)
	got, err := mergeData(module(memory, data, custom))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n got %v\nwant %v", err, got, want)
	}
}

func TestOffsetsKeepTheirSign(t *testing.T) {
	for _, number := range []int32{0, 63, 64, 127, 128, 0x6d20, 1 << 30, -1, -64, -65, -1 << 31} {
		in := reader{bytes: appendSigned(nil, number)}
		if got := in.signed(); got != number || in.bad || in.at != len(in.bytes) {
			t.Errorf("%d was read as %d", number, got)
		}
	}
}

func TestForeignModulesAreRefused(t *testing.T) {
	for name, bad := range map[string][]byte{
		"nothing":         {},
		"a component":     {0, 'a', 's', 'm', 13, 0, 1, 0},
		"cut":             module([]byte{11, 30, 1}),
		"passive":         module([]byte{11, 4, 1, 1, 1, 'a'}),
		"overlapping":     module([]byte{11, 14, 2, 0, 0x41, 8, 0x0b, 1, 'a', 0, 0x41, 7, 0x0b, 2, 'b', 'c'}),
		"a cut segment":   module([]byte{11, 6, 1, 0, 0x41, 8, 0x0b, 9}),
		"an endless size": module([]byte{11, 255, 255, 255, 255, 255, 255}),
	} {
		if _, err := mergeData(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
