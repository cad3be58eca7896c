package pointsman

// Response is an answer that the module itself gives.
type Response struct {
	// 200 to 599.
	Status uint16
	// In order; a name may repeat. The host sets the headers of the connection and content-length.
	Headers []Header
	Body    []byte
}

// NewResponse is a response without headers and body.
func NewResponse(status uint16) *Response { return &Response{Status: status} }

// AddHeader adds a header.
func (r *Response) AddHeader(name, value string) *Response {
	r.Headers = append(r.Headers, NewHeader(name, value))
	return r
}

// Text sets a body of plain text.
func (r *Response) Text(text string) *Response {
	r.Body = []byte(text)
	return r.AddHeader("content-type", "text/plain; charset=utf-8")
}

// JSON sets a body of JSON, which is sent unchanged.
func (r *Response) JSON(json string) *Response {
	r.Body = []byte(json)
	return r.AddHeader("content-type", "application/json")
}
