"""Vector code that Numba's loop vectoriser can't be talked into, emitted as LLVM IR.

`docs/kernels.md` says how to read and test it."""
