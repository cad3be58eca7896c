package pointsman

// Route is where the request goes, and how it is changed.
type Route struct {
	Peer    *Peer
	Rewrite Rewrite
	Retry   Retry
	// A remark for the access log, such as the name of the rule that matched. At most 256 bytes.
	Note *string
}

// Rewrite is the changes to the request that the upstream receives. The host removes headers before it sets them,
// and sets them before it adds.
type Rewrite struct {
	// The host header: host or host:port. Nil: the client's.
	Authority *string
	// Path and query, starting with / and percent-encoded. Nil: the client's.
	PathAndQuery *string
	// Removed, all values.
	RemoveHeaders []string
	// Set: replaces all values of that name. A name may appear once.
	SetHeaders []Header
	// Added after the existing values.
	AddHeaders []Header
}

// Remove removes all values of a header.
func (r *Rewrite) Remove(name string) { r.RemoveHeaders = append(r.RemoveHeaders, name) }

// Set replaces all values of a header. A name may be set once.
func (r *Rewrite) Set(name, value string) {
	r.SetHeaders = append(r.SetHeaders, NewHeader(name, value))
}

// Add adds a value to those that a header has.
func (r *Rewrite) Add(name, value string) {
	r.AddHeaders = append(r.AddHeaders, NewHeader(name, value))
}

// Retry is the retries allowed after a failure. It restricts what the host allows and never extends it.
type Retry struct {
	// Attempts for this request at most, this one and all before it included. Nil: the tenant's limits.attempts. 1: no
	// retry.
	Attempts *uint32
	// Statuses of the upstream, 500 to 599, that count as a failed attempt.
	OnStatus []uint16
}
