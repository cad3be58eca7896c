// Package text is percent-decoding, and text of bytes that are perhaps none.
package text

import (
	"strings"
	"unicode/utf8"
)

// Plus is what a plus stands for.
type Plus bool

// The query is the place where a plus is a space.
const (
	PlusStays   Plus = false
	PlusIsSpace Plus = true
)

// Decode undoes percent-encoding. A % without two hexadecimal digits is kept, and what is not UTF-8 is replaced
// by U+FFFD.
func Decode(text string, plus Plus) string {
	if !strings.ContainsAny(text, "%+") {
		return Lossy([]byte(text))
	}
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '+' && bool(plus) {
			c = ' '
		}
		if c == '%' && i+2 < len(text) {
			high, low := digit(text[i+1]), digit(text[i+2])
			if high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		decoded = append(decoded, c)
	}
	return Lossy(decoded)
}

// digit is the value of a hexadecimal digit, or 16.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// Lossy is bytes as text. Each maximal part that is not UTF-8, which is the start of a character or one byte that starts
// none, becomes one U+FFFD, as the host has it; the strings package takes neighbouring parts together.
func Lossy(bytes []byte) string {
	if utf8.Valid(bytes) {
		return string(bytes)
	}
	var text strings.Builder
	for len(bytes) > 0 {
		_, size := utf8.DecodeRune(bytes)
		if size == 1 && bytes[0] >= utf8.RuneSelf {
			text.WriteRune(utf8.RuneError)
			size = truncated(bytes)
		} else {
			text.Write(bytes[:size])
		}
		bytes = bytes[size:]
	}
	return text.String()
}

// truncated is how many of the bytes start a character that does not go on, at least one.
func truncated(bytes []byte) int {
	for size := min(len(bytes), 3); size > 1; size-- {
		// Not a full rune: more bytes could make it one.
		if !utf8.FullRune(bytes[:size]) {
			return size
		}
	}
	return 1
}

// Valid is a text that may be handed to the host: it traps on one that is not UTF-8.
func Valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return Lossy([]byte(text))
}
