//go:build !wasip1

package config

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"pointsman.dev/pointsman/internal/fake"
)

func hostJSON() string {
	whole, _ := hostGet("")
	return whole
}

func hostGet(pointer string) (string, bool) {
	value, ok := find(pointer)
	if !ok {
		return "", false
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	// What was decoded can be encoded.
	_ = encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), true
}

func hostText(pointer string) (string, bool) {
	value, _ := find(pointer)
	text, ok := value.(string)
	return text, ok
}

// find follows a JSON Pointer (RFC 6901).
func find(pointer string) (any, bool) {
	value := fake.Host().Config
	if pointer == "" {
		return value, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch container := value.(type) {
		case map[string]any:
			var ok bool
			if value, ok = container[token]; !ok {
				return nil, false
			}
		case []any:
			index, err := strconv.ParseUint(token, 10, 31)
			if err != nil || int(index) >= len(container) || token != strconv.FormatUint(index, 10) {
				return nil, false
			}
			value = container[index]
		default:
			return nil, false
		}
	}
	return value, true
}
