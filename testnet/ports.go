package testnet

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below the range from which systems take the local ends of outgoing
// connections: one of those could take a node's port while the node is down.
const (
	firstPort = 20_000
	endPort   = 32_000
)

// pickPorts returns free ports of loopback: for each node one for the RPC and
// one for peers. With preferred > 0 they are the block that starts there, if
// all of it is free; else they are drawn.
func pickPorts(nodes, preferred int) ([]int, error) {
	count := 2 * nodes
	if preferred > 0 {
		if block := portBlock(preferred, count); allFree(block) {
			return block, nil
		}
	}
	for range 200 {
		block := portBlock(firstPort+rand.IntN(endPort-firstPort-count), count)
		if allFree(block) {
			return block, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports in a row between %d and %d on 127.0.0.1", count, firstPort, endPort)
}

func portBlock(first, count int) []int {
	block := make([]int, count)
	for i := range block {
		block[i] = first + i
	}
	return block
}

// allFree tries to listen on each port.
func allFree(ports []int) bool {
	for _, port := range ports {
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return false
		}
		_ = listener.Close() // nothing was accepted
	}
	return true
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
