// Package parse reads the module's configuration as a type of the author's, by encoding/json. It is a package of its own
// because encoding/json is large.
package parse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"pointsman.dev/pointsman/config"
)

// Into reads the whole table into a variable. Fields have the names of the keys, or those of their json tags; a key
// without a field is an error. Errors name the value by its JSON Pointer, so that returning them is enough:
//
//	var table struct{ Sites []Site }
//
//	func init() { pointsman.Configure(func(string) error { return parse.Into(&table) }) }
func Into(variable any) error {
	text := []byte(config.JSON())
	err := unmarshal(text, variable)
	if err == nil {
		return nil
	}
	return located("", text, reflect.TypeOf(variable), err)
}

func unmarshal(text []byte, variable any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(variable)
}

// located is the error of the innermost value that fails by itself: encoding/json tells neither an index of a list nor a
// key of a map.
func located(pointer string, text json.RawMessage, t reflect.Type, err error) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, part := range parts(text, t) {
		if err := unmarshal(part.text, reflect.New(part.t).Interface()); err != nil {
			return located(pointer+"/"+escape.Replace(part.name), part.text, part.t, err)
		}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, err := strconv.Unquote(name); err == nil {
			return errors.New("config: `" + pointer + "/" + escape.Replace(name) + "` is unknown")
		}
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return errors.New("config: `" + pointer + "` is `" + string(text) + "`, not " + wanted(t))
	}
	return errors.New("config: `" + pointer + "`: " + err.Error())
}

// How a JSON Pointer has a name.
var escape = strings.NewReplacer("~", "~0", "/", "~1")

type part struct {
	name string
	text json.RawMessage
	t    reflect.Type
}

// parts of a value, in order, each with the type that is to hold it.
func parts(text json.RawMessage, t reflect.Type) []part {
	var found []part
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if json.Unmarshal(text, &items) != nil {
			return nil
		}
		for i, item := range items {
			found = append(found, part{strconv.Itoa(i), item, t.Elem()})
		}
	case reflect.Map, reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) != nil {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if t.Kind() == reflect.Map {
				found = append(found, part{name, members[name], t.Elem()})
			} else if field, ok := fieldOf(t, name); ok {
				found = append(found, part{name, members[name], field.Type})
			}
		}
	}
	return found
}

// fieldOf is the field that encoding/json stores a key in.
func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for _, field := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name := cmp.Or(tag, field.Name)
		if field.IsExported() && tag != "-" && !(field.Anonymous && tag == "") && strings.EqualFold(name, key) {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	switch zero := reflect.Zero(t); {
	case zero.CanInt():
		unused := 64 - t.Bits()
		return "a whole number from " + strconv.FormatInt(math.MinInt64>>unused, 10) +
			" to " + strconv.FormatInt(math.MaxInt64>>unused, 10)
	case zero.CanUint():
		return "a whole number from 0 to " + strconv.FormatUint(math.MaxUint64>>(64-t.Bits()), 10)
	}
	return "a " + t.String()
}
