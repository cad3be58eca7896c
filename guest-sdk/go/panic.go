package pointsman

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
)

// mostFrames of a panic's traceback are told: an error's text has 1,024 bytes at most.
const mostFrames = 8

// caught makes an error of a panic in the function of this name: its text, and where it began, from the inside out.
func caught(err *error, function string) {
	value := recover()
	if value == nil {
		return
	}
	message := "panic: "
	switch value := value.(type) {
	case error:
		message += value.Error()
	case string:
		message += value
	case interface{ String() string }:
		message += value.String()
	default:
		message += "a value that is not a text"
	}
	if places := traceback(function); len(places) > 0 {
		message += " at " + strings.Join(places, ", ")
	}
	*err = errors.New(message)
}

// traceback is the places of the calls between the panic and the function.
func traceback(function string) []string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	var places []string
	for {
		frame, more := frames.Next()
		// Of the runtime are those that raise a panic, before any other.
		if !strings.HasPrefix(frame.Function, "runtime.") {
			if frame.Function == function || len(places) == mostFrames {
				return places
			}
			places = append(places, strings.TrimPrefix(frame.File, project)+":"+strconv.Itoa(frame.Line))
		}
		if !more {
			return places
		}
	}
}
