"""HTTP: routes, handlers, keys, guards, and what they make of a request."""
