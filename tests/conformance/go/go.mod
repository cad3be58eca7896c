module conformance

go 1.26

require pointsman v0.1.0

replace pointsman => ../../../guest-sdk/go
