package pointsmantest

import (
	"reflect"
	"testing"

	"pointsman.dev/pointsman"
)

func TestAURLIsTakenApart(t *testing.T) {
	for url, want := range map[string][4]string{
		"https://Shop.Example:8443/cart?x=1": {"https", "shop.example:8443", "/cart", "x=1"},
		"http://shop.example":                {"http", "shop.example", "/", "-"},
		"http://shop.example?a?b":            {"http", "shop.example", "/", "a?b"},
		"/cart":                              {"http", "", "/cart", "-"},
	} {
		request := Get(url)
		query, ok := request.Query()
		if !ok {
			query = "-"
		}
		if got := [4]string{request.Scheme(), request.Authority(), request.Path(), query}; got != want {
			t.Errorf("%s: %q, not %q", url, got, want)
		}
	}
}

func TestAMinimalRequestHasTheseFacts(t *testing.T) {
	request := NewRequest("POST", "http://shop.example/")
	got := []any{
		request.Method(), request.ClientIP().String(), request.Listener(), request.TLS() == nil,
		len(request.Headers()), len(request.Attempts()),
	}
	if want := []any{"POST", "192.0.2.1", "test", true, 0, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

func TestFactsAreSetOneByOne(t *testing.T) {
	tls := pointsman.ClientTLS{Version: "TLSv1.2", Cipher: "ECDHE-RSA-AES128-GCM-SHA256", ClientCertSHA256: []byte{7}}
	request := Get("/", ClientIP("2001:db8::1"), Listener("public"), TLS(tls))
	if !reflect.DeepEqual(request.TLS(), &tls) || request.Listener() != "public" ||
		request.ClientIP().String() != "2001:db8::1" {
		t.Error("a fact is not as it was set")
	}
	if sni := Get("https://shop.example:8443/").TLS().SNI; sni != "shop.example" {
		t.Errorf("https has the server name %q", sni)
	}
}

func TestHeaderNamesAreCaseInsensitive(t *testing.T) {
	request := Get("/", Header("X-Shop", "north"), Header("x-id", "\xff"), Header("x-shop", "south"))
	text, _ := request.Header("X-SHOP")
	id, _ := request.Header("x-id")
	raw, _ := request.HeaderBytes("x-id")
	_, none := request.HeaderBytes("x-none")
	if text != "north" || id != "\ufffd" || string(raw) != "\xff" || none || len(request.HeaderValues("X-Shop")) != 2 {
		t.Errorf("%q %q %q %v", text, id, raw, none)
	}
	var names []string
	for _, header := range request.Headers() {
		names = append(names, header.Name)
	}
	if want := []string{"x-shop", "x-shop", "x-id"}; !reflect.DeepEqual(names, want) {
		t.Errorf("%q, not %q", names, want)
	}
}

func TestAttemptsAreNumbered(t *testing.T) {
	attempts := Get("/", Attempts(Refused("a:1"), Closed("b:2")), Attempts(Status("c:3", 503), TimedOut("d:4"))).Attempts()
	for i, attempt := range attempts {
		if attempt.Number != uint32(i+1) {
			t.Errorf("attempt %d has the number %d", i+1, attempt.Number)
		}
	}
	if *attempts[2].Status != 503 || attempts[0].Failure != pointsman.FailureRefused || len(attempts) != 4 {
		t.Errorf("%v", attempts)
	}
}
