package text

import "testing"

func TestPercentEncodingIsUndone(t *testing.T) {
	for in, want := range map[string]string{
		"":              "",
		"cart":          "cart",
		"caf%C3%A9":     "café",
		"a%2Fb%2fc":     "a/b/c",
		"%":             "%",
		"%2":            "%2",
		"%zz%4":         "%zz%4",
		"100%":          "100%",
		"%%41":          "%A",
		"%FF":           "\ufffd",
		"\xe2\x82":      "\ufffd",
		"a+b%2B":        "a+b+",
		"%C3(":          "\ufffd(",
		"%F0%9F%98%80!": "😀!",
	} {
		if got := Decode(in, PlusStays); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
	if got := Decode("a+b%2B", PlusIsSpace); got != "a b+" {
		t.Errorf("%q", got)
	}
}

// As the Unicode standard recommends (3.9, substitution of maximal subparts).
func TestEachPartThatIsNotUTF8IsOneReplacement(t *testing.T) {
	for in, want := range map[string]string{
		"é漢😀":                               "é漢😀",
		"\xff\xfe":                          "��",
		"a\x80b":                            "a�b",
		"\xe2\x82":                          "�",
		"\xe2\x82x":                         "�x",
		"\xf0\x9f\x98":                      "�",
		"\xf0\x9f\x98\xf0":                  "��",
		"\xc0\xaf":                          "��",
		"\xe0\x80\xaf":                      "���",
		"\xed\xa0\x80":                      "���",
		"\xf4\x90\x80\x80":                  "����",
		"\xe1\x80\xe2\xf0\x91\x92\xf1\xbfA": "����A",
		"�":                                 "�",
	} {
		if got := Lossy([]byte(in)); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
		if got := Valid(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}
