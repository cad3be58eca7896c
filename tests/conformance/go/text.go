package main

import (
	"strconv"
	"strings"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/clock"
	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/log"
	"pointsman.dev/pointsman/random"
	"pointsman.dev/pointsman/shared"
	"pointsman.dev/pointsman/upstreams"
)

func plain(lines string) *pointsman.Response { return pointsman.NewResponse(200).Text(lines) }

func line(words ...string) string { return strings.Join(words, " ") + "\n" }

func number[N int | int64 | uint16 | uint32](n N) string { return strconv.FormatInt(int64(n), 10) }

func hexadecimal(n uint64) string {
	digits := strconv.FormatUint(n, 16)
	return strings.Repeat("0", 16-len(digits)) + digits
}

func orDash(text string, ok bool) string {
	if !ok {
		return "-"
	}
	return text
}

// The first parameter of this name; empty if there is none.
func value(params []param, name string) string {
	for _, param := range params {
		if param.name == name {
			return param.value
		}
	}
	return ""
}

func echo(request *pointsman.Request) *pointsman.Response {
	query, hasQuery := request.Query()
	var body strings.Builder
	body.WriteString(line("method", request.Method()))
	body.WriteString(line("scheme", request.Scheme()))
	body.WriteString(line("authority", request.Authority()))
	body.WriteString(line("host", request.Host()))
	body.WriteString(line("path", request.Path()))
	for _, segment := range request.PathSegments() {
		body.WriteString(line("segment", segment))
	}
	body.WriteString(line("query", orDash(query, hasQuery)))
	for name, value := range request.QueryParams() {
		body.WriteString(line("param", name+"="+value))
	}
	body.WriteString(line("client-ip", request.ClientIP().String()))
	body.WriteString(line("listener", request.Listener()))
	if tls := request.TLS(); tls != nil {
		certificate := ""
		for _, b := range tls.ClientCertSHA256 {
			certificate += hexadecimal(uint64(b))[14:]
		}
		sni := orDash(tls.SNI, tls.SNI != "")
		body.WriteString(line("tls", sni, tls.Version, tls.Cipher, orDash(certificate, certificate != "")))
	} else {
		body.WriteString(line("tls", "-"))
	}
	for _, header := range request.Headers() {
		// A string in Go can hold any bytes.
		body.WriteString(line("header", header.Name+":"+string(header.Value)))
	}
	for name, value := range request.Cookies() {
		body.WriteString(line("cookie", name+"="+value))
	}

	response := plain(body.String())
	for _, value := range request.HeaderValues("x-echo") {
		response.Headers = append(response.Headers, pointsman.Header{Name: "x-echoed", Value: value})
	}
	if value, ok := request.HeaderBytes("x-echo"); ok {
		response.Headers = append(response.Headers, pointsman.Header{Name: "x-first", Value: value})
	}
	if text, ok := request.Header("x-echo"); ok {
		response.AddHeader("x-text", text)
	}
	return response
}

func attempts(request *pointsman.Request) string {
	lines := ""
	for _, attempt := range request.Attempts() {
		reused, sent, status := "new", "unsent", "-"
		if attempt.ReusedConnection {
			reused = "reused"
		}
		if attempt.RequestSent {
			sent = "sent"
		}
		if attempt.Status != nil {
			status = number(*attempt.Status)
		}
		lines += line(number(attempt.Number), attempt.Address, attempt.Stage.String(), attempt.Failure.String(),
			status, reused, sent, number(attempt.Elapsed.Milliseconds()), attempt.Detail)
	}
	return lines
}

func configuration(params []param) string {
	lines := config.JSON() + "\n"
	for _, param := range params {
		if param.name == "pointer" {
			text, err := config.Text(param.value)
			lines += line(orDash(config.Get(param.value)), orDash(text, err == nil))
		}
	}
	return lines
}

func seen(params []param) string {
	lines := ""
	for _, param := range params {
		switch param.name {
		case "get":
			lines += upstream(upstreams.Get(param.value))
		case "group":
			members, err := upstreams.Group(param.value)
			if err != nil {
				lines += line("no group", param.value)
			}
			for _, member := range members {
				lines += upstream(member)
			}
		}
	}
	return lines
}

func upstream(upstream upstreams.Upstream) string {
	latency := "-"
	if upstream.Latency != nil {
		latency = number(upstream.Latency.Microseconds())
	}
	return line(upstream.Address, upstream.Health.String(), number(upstream.InFlight), latency, number(upstream.Failures))
}

func clockAgrees() string {
	if now := clock.NowMs(); now == clock.NowMs() && now > 1_600_000_000_000 {
		return line("ok")
	}
	return line("wrong")
}

func drawsDiffer() string {
	if random.Bits() != random.Bits() {
		return line("ok")
	}
	return line("wrong")
}

func writeLog(params []param) {
	levels := map[string]log.Level{
		"trace": log.LevelTrace, "debug": log.LevelDebug, "info": log.LevelInfo, "warn": log.LevelWarn,
		"error": log.LevelError,
	}
	for _, param := range params {
		if level, ok := levels[param.name]; ok {
			log.Write(level, param.value)
		}
	}
}

func keep(params []param) (pointsman.Decision, error) {
	lines := ""
	for _, param := range params {
		answer, err := keepOne(param)
		if failed, ok := err.(shared.Error); ok {
			answer, err = line("error", errorNames[failed]), nil
		}
		if err != nil {
			return nil, err
		}
		lines += answer
	}
	return plain(lines), nil
}

var errorNames = map[shared.Error]string{
	shared.ErrFull: "full", shared.ErrTooLong: "too-long", shared.ErrOtherKind: "other-kind",
	shared.ErrOverflow: "overflow", shared.ErrOther: "other",
}
