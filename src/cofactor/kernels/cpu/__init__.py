"""Kernels in Numba: parallel, compiled on first use, kept on disk."""

from cofactor.base.threads import check_numba_environment

check_numba_environment()
