"""One file a subject; each ends with its part of the table of routes."""
