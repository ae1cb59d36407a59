"""Remarks on peers that several cases need."""

from __future__ import annotations

BUILT = (
    "compiled on this machine, with AVX-512 where it has it; its BLAS is SciPy's; built by Cython"
    " 0.29 (see environments.py)"
)
NO_AVX = "its extension holds no AVX code of its own"
