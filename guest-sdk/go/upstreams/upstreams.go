// Package upstreams gives statistics of upstreams from the tenant's own requests, and the results of health checks.
package upstreams

import (
	"errors"
	"time"
)

// Upstream is the statistics of an address.
type Upstream struct {
	// As in the call, or as in the group.
	Address string
	Health  Health
	// Attempts in flight, in this proxy.
	InFlight uint32
	// Time from the start of an attempt to the head of its response, in whole microseconds: an average in which every
	// response counts for an eighth. Nil before the first one.
	Latency *time.Duration
	// Consecutive failed attempts, if the last was within the past 30 seconds; else 0.
	Failures uint32
}

// Health is what a health check found.
type Health uint8

const (
	// HealthUnknown is no health check yet, or none at all.
	HealthUnknown Health = iota
	HealthHealthy
	HealthUnhealthy
)

var names = [...]string{"unknown", "healthy", "unhealthy"}

// String is the name that the WIT has for it.
func (h Health) String() string {
	if int(h) < len(names) {
		return names[h]
	}
	return names[HealthUnknown]
}

// Get returns the statistics of an address, in a group or not.
func Get(address string) Upstream { return hostGet(address) }

// Group is the members of a group that the operator defined, in its order.
func Group(name string) ([]Upstream, error) {
	members, ok := hostGroup(name)
	if !ok {
		return nil, errors.New("there is no group `" + name + "`; the operator defines it")
	}
	return members, nil
}
