// Package log writes to the tenant's log.
package log

// Level is how much a line matters.
type Level uint8

const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Trace writes a line at level trace.
func Trace(message string) { Write(LevelTrace, message) }

// Debug writes a line at level debug.
func Debug(message string) { Write(LevelDebug, message) }

// Info writes a line at level info.
func Info(message string) { Write(LevelInfo, message) }

// Warn writes a line at level warn.
func Warn(message string) { Write(LevelWarn, message) }

// Error writes a line at level error.
func Error(message string) { Write(LevelError, message) }

// Write writes a line. Control characters are escaped, invalid UTF-8 is replaced by U+FFFD, and beyond the tenant's
// limits.log_bytes a decision's lines are cut.
func Write(level Level, message string) { hostLog(level, message) }
