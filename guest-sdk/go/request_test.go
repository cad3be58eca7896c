package pointsman_test

import (
	"fmt"
	"iter"
	"reflect"
	"testing"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/pointsmantest"
)

func TestTheHostIsTheAuthorityWithoutPort(t *testing.T) {
	for url, want := range map[string]string{
		"http://shop.example/":       "shop.example",
		"http://shop.example:8080/":  "shop.example",
		"http://203.0.113.7:80/":     "203.0.113.7",
		"http://[2001:db8::1]/":      "[2001:db8::1]",
		"http://[2001:db8::1]:8080/": "[2001:db8::1]",
		"/":                          "",
	} {
		if got := pointsmantest.Get(url).Host(); got != want {
			t.Errorf("%s: %q, not %q", url, got, want)
		}
	}
}

func TestSegmentsAreDecodedAfterTheyAreSplit(t *testing.T) {
	for path, want := range map[string][]string{
		"/":                nil,
		"/cart":            {"cart"},
		"/cart//items/":    {"cart", "items"},
		"/a%2Fb/caf%C3%A9": {"a/b", "café"},
		"/%FF/%2/100%":     {"\ufffd", "%2", "100%"},
		"/../%2e%2e/a+b":   {"..", "..", "a+b"},
	} {
		if got := pointsmantest.Get(path).PathSegments(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, not %q", path, got, want)
		}
	}
}

func TestQueryParametersAreDecoded(t *testing.T) {
	for url, want := range map[string]string{
		"/":                    "none",
		"/?":                   "none",
		"/?a":                  "",
		"/?b=2&a=1&a=3":        "1",
		"/?%61=caf%C3%A9+noir": "café noir",
		"/?a=b=c?d":            "b=c?d",
		"/?&&a=%26":            "&",
	} {
		got, ok := pointsmantest.Get(url).QueryParam("a")
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%s: %q, not %q", url, got, want)
		}
	}
}

func pairs(seq iter.Seq2[string, string]) (pairs []string) {
	for name, value := range seq {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

func TestAllQueryParametersKeepTheirOrder(t *testing.T) {
	got := pairs(pointsmantest.Get("/?b=1&a=2&b=3").QueryParams())
	if want := []string{"b=1", "a=2", "b=3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestCookiesOfAllHeadersAreRead(t *testing.T) {
	request := pointsmantest.Get("/",
		pointsmantest.Header("Cookie", "a=1;b = 2; c=x=y; flag"), pointsmantest.Header("cookie", "d=\xff; a=5"))
	got := pairs(request.Cookies())
	if want := []string{"a=1", "b=2", "c=x=y", "d=\ufffd", "a=5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	if value, ok := request.Cookie("a"); value != "1" || !ok {
		t.Errorf("%q", value)
	}
	if _, ok := request.Cookie("flag"); ok {
		t.Error("what has no = is no cookie")
	}
}

func TestUnsetPeerFieldsAreAbsent(t *testing.T) {
	if got, want := pointsman.HTTP("a:1"), (&pointsman.Peer{Address: "a:1"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if got := pointsman.HTTPS("a:1"); !reflect.DeepEqual(got.TLS, &pointsman.TLS{Verify: pointsman.VerifyFull}) {
		t.Errorf("%v", got.TLS)
	}
}

func TestBodiesSetTheirType(t *testing.T) {
	text := pointsman.NewResponse(404).AddHeader("b", "1").Text("no such page")
	want := &pointsman.Response{
		Status:  404,
		Headers: []pointsman.Header{pointsman.NewHeader("b", "1"), pointsman.NewHeader("content-type", "text/plain; charset=utf-8")},
		Body:    []byte("no such page"),
	}
	if !reflect.DeepEqual(text, want) {
		t.Errorf("%v", text)
	}
	if json := pointsman.NewResponse(200).JSON("{}"); json.Headers[0].Text() != "application/json" || string(json.Body) != "{}" {
		t.Errorf("%v", json)
	}
}

func TestChangesAreAddedToTheirLists(t *testing.T) {
	var rewrite pointsman.Rewrite
	rewrite.Remove("x-debug")
	rewrite.Set("x-shop", "north")
	rewrite.Add("via", "\xff")
	want := pointsman.Rewrite{
		RemoveHeaders: []string{"x-debug"},
		SetHeaders:    []pointsman.Header{{Name: "x-shop", Value: []byte("north")}},
		AddHeaders:    []pointsman.Header{{Name: "via", Value: []byte{0xff}}},
	}
	if !reflect.DeepEqual(rewrite, want) {
		t.Errorf("%v", rewrite)
	}
}

func TestAnAttemptDescribesTheFailure(t *testing.T) {
	attempt := pointsmantest.Refused("127.0.0.1:9101")
	if got := fmt.Sprint(attempt.Failure, " at ", attempt.Stage); got != "refused at connect" {
		t.Error(got)
	}
	if got := fmt.Sprint(pointsman.Failure(99), pointsman.StageOther, pointsman.FailureProxyRefused); got != "other other proxy-refused" {
		t.Error(got)
	}
}
