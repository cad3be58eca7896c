// Fails as bugs do, by the request's path.
package main

import (
	"errors"
	"fmt"
	"strings"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/shared"
)

func init() { pointsman.SelectPeer(selectPeer) }

func main() {}

func selectPeer(request *pointsman.Request) (pointsman.Decision, error) {
	var table []*pointsman.Peer
	switch request.Path() {
	case "/panic":
		panic("the table is empty")
	case "/index":
		return table[len(request.Attempts())+3], nil
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
	address, err := config.Text("/stable")
	if err != nil {
		return nil, err
	}
	return pointsman.HTTP(address), nil
}
