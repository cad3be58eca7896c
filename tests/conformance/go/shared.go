package main

import (
	"strconv"
	"strings"
	"time"

	"pointsman.dev/pointsman/shared"
)

// One parameter of the part shared: a call, and its line.
func keepOne(param param) (string, error) {
	key, rest, hasRest := strings.Cut(param.value, ":")
	switch param.name {
	case "counter":
		count, ok := shared.Counter(key)
		return line("counter", orDash(number(count), ok)), nil
	case "get":
		value, ok := shared.Get(key)
		return line("get", orDash(string(value), ok)), nil
	case "delete":
		shared.Delete(key)
		return line("delete"), nil
	}
	if !hasRest {
		return "", param.bad()
	}
	switch param.name {
	case "add":
		amount, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return "", param.bad()
		}
		sum, err := shared.Add(key, amount)
		return line("add", number(sum)), err
	case "add-ttl":
		amountText, ttlText, _ := strings.Cut(rest, ":")
		amount, err := strconv.ParseInt(amountText, 10, 64)
		ttl, ttlErr := strconv.ParseUint(ttlText, 10, 32)
		if err != nil || ttlErr != nil {
			return "", param.bad()
		}
		sum, err := shared.AddFor(time.Duration(ttl)*time.Millisecond, key, amount)
		return line("add", number(sum)), err
	case "set":
		return line("set"), shared.Set(key, []byte(rest))
	case "swap":
		before, after, ok := strings.Cut(rest, ":")
		if !ok {
			return "", param.bad()
		}
		var expected []byte
		if before != "" {
			expected = []byte(before)
		}
		swapped, err := shared.CompareAndSet(key, expected, []byte(after))
		return line("swap", strconv.FormatBool(swapped)), err
	}
	return "", param.bad()
}
