//go:build !wasip1

package log

import "pointsman.dev/pointsman/internal/fake"

func hostLog(level Level, message string) {
	host := fake.Host()
	host.Lines = append(host.Lines, fake.Line{Level: uint8(level), Message: message})
}
