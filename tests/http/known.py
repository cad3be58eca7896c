"""Cases in which Pointsman deviates, each with the reason. A case that passes must leave the list."""

H1 = {}
H2 = {}
