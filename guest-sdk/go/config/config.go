// Package config is the module's configuration: its `config` table.
//
// A value is named by a JSON Pointer (RFC 6901): /percent, /upstreams/0/address. A value of the wrong type is always an
// error, never treated as a missing one. Errors name the value, so that returning them is enough.
//
// For a type of your own: package [pointsman.dev/pointsman/config/parse], best in a function for pointsman.Configure, where it is done
// once.
package config

import (
	"errors"
	"strconv"
	"unsafe"
)

// JSON is the whole table as a JSON object.
func JSON() string { return hostJSON() }

// Get is one value, as JSON. False if it is absent.
func Get(pointer string) (string, bool) { return hostGet(pointer) }

// Text is a text.
func Text(pointer string) (string, error) {
	text, ok, err := optionalText(pointer)
	if err == nil && !ok {
		err = missing(pointer)
	}
	return text, err
}

// TextOr is a text, or this one if the operator gave none.
func TextOr(pointer, fallback string) (string, error) {
	text, ok, err := optionalText(pointer)
	if err == nil && !ok {
		text = fallback
	}
	return text, err
}

// Texts is a list of texts.
func Texts(pointer string) ([]string, error) {
	list, ok := hostGet(pointer)
	if !ok {
		return nil, missing(pointer)
	}
	if list[0] != '[' {
		return nil, wrong(pointer, list, "a list")
	}
	texts := []string{}
	for {
		text, ok, err := optionalText(pointer + "/" + strconv.Itoa(len(texts)))
		if err != nil || !ok {
			return texts, err
		}
		texts = append(texts, text)
	}
}

// Numeric is the types of numbers.
type Numeric interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Number is a number of any of Go's types: config.Number[uint16]("/port").
func Number[N Numeric](pointer string) (N, error) {
	number, ok, err := optionalNumber[N](pointer)
	if err == nil && !ok {
		err = missing(pointer)
	}
	return number, err
}

// NumberOr is a number, or this one if the operator gave none.
func NumberOr[N Numeric](pointer string, fallback N) (N, error) {
	number, ok, err := optionalNumber[N](pointer)
	if err == nil && !ok {
		number = fallback
	}
	return number, err
}

// Flag is true or false, the latter also if the operator gave neither.
func Flag(pointer string) (bool, error) {
	switch value, ok := hostGet(pointer); {
	case !ok || value == "false":
		return false, nil
	case value == "true":
		return true, nil
	default:
		return false, wrong(pointer, value, "true or false")
	}
}

func optionalText(pointer string) (string, bool, error) {
	text, ok := hostText(pointer)
	if ok {
		return text, true, nil
	}
	if other, ok := hostGet(pointer); ok {
		return "", false, wrong(pointer, other, "a text")
	}
	return "", false, nil
}

func optionalNumber[N Numeric](pointer string) (N, bool, error) {
	value, ok := hostGet(pointer)
	if !ok {
		return 0, false, nil
	}
	number, err := parse[N](value)
	switch {
	case err == nil:
		return number, true, nil
	case isFloat[N]():
		return 0, false, wrong(pointer, value, "a number")
	case errors.Is(err, strconv.ErrRange):
		return 0, false, wrong(pointer, value, "within the range of what it stands for")
	case isUnsigned[N]():
		return 0, false, wrong(pointer, value, "a whole number of 0 or more")
	default:
		return 0, false, wrong(pointer, value, "a whole number")
	}
}

// JSON writes a number as Go reads it. A text keeps its quotes and is none.
func parse[N Numeric](value string) (N, error) {
	bits := int(unsafe.Sizeof(N(0))) * 8
	if isFloat[N]() {
		number, err := strconv.ParseFloat(value, bits)
		return N(number), err
	}
	if isUnsigned[N]() {
		number, err := strconv.ParseUint(value, 10, bits)
		return N(number), err
	}
	number, err := strconv.ParseInt(value, 10, bits)
	return N(number), err
}

func isFloat[N Numeric]() bool { return N(1)/N(2) != 0 }

func isUnsigned[N Numeric]() bool { return N(0)-1 > 0 }

func missing(pointer string) error { return errors.New("config: `" + pointer + "` is missing") }

func wrong(pointer, value, expected string) error {
	return errors.New("config: `" + pointer + "` is `" + value + "`, not " + expected)
}
