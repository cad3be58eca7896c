module pointsman.dev/pointsman

go 1.26
