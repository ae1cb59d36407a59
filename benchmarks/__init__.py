"""Cofactor beside its peers: time, memory and quality in one run. ``python -m benchmarks
--help``.
"""
