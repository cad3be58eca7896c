module canary

go 1.26

require pointsman.dev/pointsman v0.1.0

replace pointsman.dev/pointsman => ../../../guest-sdk/go
