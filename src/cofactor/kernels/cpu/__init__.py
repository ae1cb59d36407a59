"""Kernels in Numba: parallel, compiled on first use, kept on disk."""
