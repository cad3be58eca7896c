// Makes a mistake, chosen by the request's path.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/shared"
)

var stable string

func init() {
	pointsman.Configure(configure)
	pointsman.SelectPeer(selectPeer)
}

func main() {}

func configure(string) (err error) {
	stable, err = config.Text("/stable")
	return err
}

func selectPeer(request *pointsman.Request) (pointsman.Decision, error) {
	var table []*pointsman.Peer
	var decision pointsman.Decision = pointsman.HTTP(stable)
	switch request.Path() {
	case "/panic":
		panic("the table is empty")
	case "/assert":
		return decision.(*pointsman.Route), nil
	case "/index":
		return table[len(request.Attempts())+3], nil
	case "/null":
		return pointsman.HTTP(find(table).Address), nil
	case "/exit":
		os.Exit(3)
	case "/memory":
		return pointsman.HTTP(string(read(1 << 27))), nil
	case "/loop":
		search(table)
	case "/recursion":
		return pointsman.HTTP(descend(stable)), nil
	case "/answer":
		return pointsman.HTTP("upstream.internal"), nil
	case "/goroutine":
		done := make(chan bool)
		go func() { panic(errors.New("in a goroutine")) }()
		<-done
	case "/deadlock":
		<-make(chan int)
	case "/print":
		fmt.Print("path ", request.Path())
		println(",", "printed", 3)
		fmt.Print("no line end")
	case "/shared":
		if err := shared.Set(strings.Repeat("k", 300), nil); err != nil {
			return nil, err
		}
	}
	return decision, nil
}

func find(table []*pointsman.Peer) *pointsman.Peer {
	for _, peer := range table {
		return peer
	}
	return nil
}

func read(size int) []byte { return make([]byte, size) }

func search(table []*pointsman.Peer) {
	for place := 0; place >= len(table); {
		place = (place + 1) % 8
	}
}

func descend(path string) string { return descend(path) + "/" }
