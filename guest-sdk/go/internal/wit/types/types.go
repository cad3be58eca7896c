// Package wit_types has the WIT types that Go has no words for, as the generated bindings use them.
package wit_types

// Unit is a result without a value.
type Unit struct{}

// The cases of an Option.
const (
	OptionNone = 0
	OptionSome = 1
)

// Option is a value that may be absent.
type Option[T any] struct {
	tag   uint8
	value T
}

// None is no value.
func None[T any]() Option[T] { return Option[T]{} }

// Some is a value.
func Some[T any](value T) Option[T] { return Option[T]{OptionSome, value} }

// Tag is the case.
func (o Option[T]) Tag() uint8 { return o.tag }

// Some is the value; the zero value if there is none.
func (o Option[T]) Some() T { return o.value }

// Get is the value, and whether there is one.
func (o Option[T]) Get() (T, bool) { return o.value, o.tag == OptionSome }

// The cases of a Result.
const (
	ResultOk  = 0
	ResultErr = 1
)

// Result is a value or an error.
type Result[T, E any] struct {
	tag uint8
	ok  T
	err E
}

// Ok is a value.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{tag: ResultOk, ok: value} }

// Err is an error.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{tag: ResultErr, err: err} }

// Tag is the case.
func (r Result[T, E]) Tag() uint8 { return r.tag }

// Ok is the value; the zero value if there is an error.
func (r Result[T, E]) Ok() T { return r.ok }

// Err is the error; the zero value if there is none.
func (r Result[T, E]) Err() E { return r.err }

// Tuple2 is two values.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}
