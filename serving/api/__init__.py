"""The HTTP interface: one router a noun, errors as problem details."""
