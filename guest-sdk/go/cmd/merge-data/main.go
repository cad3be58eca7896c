// Command merge-data makes one data segment of the thousands that Go's linker writes, in place:
//
//	go run pointsman.dev/pointsman/cmd/merge-data core.wasm
//
// The linker starts a segment after every eight zero bytes. When the host keeps the state after configure, each of them
// stays in the module as an empty one, and every instance has to be told of it: a decision takes twice as long.
package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "merge-data:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("usage: merge-data CORE.WASM")
	}
	module, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	merged, err := mergeData(module)
	if err != nil {
		return fmt.Errorf("%s: %w", arguments[0], err)
	}
	return os.WriteFile(arguments[0], merged, 0o644)
}

const dataSection = 11

// mergeData copies all sections but that of the data.
func mergeData(module []byte) ([]byte, error) {
	in := reader{bytes: module}
	if header := in.take(8); in.bad || binary.LittleEndian.Uint64(header) != 0x1_6d736100 {
		return nil, errors.New("no core module")
	}
	merged := append([]byte{}, module[:8]...)
	for in.at < len(in.bytes) && !in.bad {
		start := in.at
		id := in.take(1)
		body := in.take(int(in.number()))
		if in.bad {
			break
		}
		if id[0] != dataSection {
			merged = append(merged, module[start:in.at]...)
			continue
		}
		section, err := mergeSection(body)
		if err != nil {
			return nil, err
		}
		merged = append(merged, dataSection)
		merged = binary.AppendUvarint(merged, uint64(len(section)))
		merged = append(merged, section...)
	}
	if in.bad {
		return nil, errors.New("the module ends in the middle")
	}
	return merged, nil
}

type segment struct {
	offset uint32
	data   []byte
}

// mergeSection makes one segment, zeros where there was none.
func mergeSection(body []byte) ([]byte, error) {
	in := reader{bytes: body}
	var segments []segment
	for range in.number() {
		// An active segment of memory 0: 0, i32.const, the offset, end.
		if kind := in.take(2); in.bad || kind[0] != 0 || kind[1] != 0x41 {
			return nil, errors.New("a data segment that Go's linker does not write")
		}
		offset := uint32(in.signed())
		if code := in.take(1); in.bad || code[0] != 0x0b {
			return nil, errors.New("a data segment that Go's linker does not write")
		}
		segments = append(segments, segment{offset, in.take(int(in.number()))})
	}
	if in.bad {
		return nil, errors.New("the data section ends in the middle")
	}
	slices.SortFunc(segments, func(a, b segment) int { return cmp.Compare(a.offset, b.offset) })
	var image []byte
	var first uint32
	for i, segment := range segments {
		if i == 0 {
			first = segment.offset
		}
		end := first + uint32(len(image))
		if segment.offset < end {
			return nil, errors.New("data segments that overlap")
		}
		image = append(image, make([]byte, segment.offset-end)...)
		image = append(image, segment.data...)
	}
	section := []byte{1, 0, 0x41}
	section = appendSigned(section, int32(first))
	section = append(section, 0x0b)
	section = binary.AppendUvarint(section, uint64(len(image)))
	return append(section, image...), nil
}

// reader reads what is there; bad tells of what was not.
type reader struct {
	bytes []byte
	at    int
	bad   bool
}

func (r *reader) take(count int) []byte {
	if count < 0 || count > len(r.bytes)-r.at {
		r.bad = true
		return nil
	}
	r.at += count
	return r.bytes[r.at-count : r.at]
}

func (r *reader) number() uint32 {
	number, size := binary.Uvarint(r.bytes[r.at:])
	if size <= 0 || number > 1<<32-1 {
		r.bad = true
		return 0
	}
	r.at += size
	return uint32(number)
}

// signed reads a number of at most 32 bits in signed LEB128.
func (r *reader) signed() int32 {
	var number int64
	for shift := 0; shift < 35; shift += 7 {
		b := r.take(1)
		if r.bad {
			return 0
		}
		number |= int64(b[0]&0x7f) << shift
		if b[0]&0x80 == 0 {
			return int32(number << (57 - shift) >> (57 - shift))
		}
	}
	r.bad = true
	return 0
}

func appendSigned(bytes []byte, number int32) []byte {
	for number < -64 || number > 63 {
		bytes = append(bytes, byte(number)|0x80)
		number >>= 7
	}
	return append(bytes, byte(number)&0x7f)
}
