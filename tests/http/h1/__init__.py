"""The cases of RFC 9112 and RFC 9110, by area; importing a module registers its cases."""

from h1 import request_line, host, fields, request_body, connection, requests, responses, response_framing  # noqa: F401
