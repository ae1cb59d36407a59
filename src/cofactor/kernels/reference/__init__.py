"""Kernels in plain NumPy: slow, readable, the truth that the fast ones are tested against."""
