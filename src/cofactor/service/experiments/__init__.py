"""Experiments: which version a user gets, what is logged of it, and how it came out."""
