"""Checks before and after a fit: devices, engines, what was learned."""
