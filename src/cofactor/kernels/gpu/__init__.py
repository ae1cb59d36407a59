"""Kernels in PyTorch, for GPUs: the same functions as `kernels.reference`, on a device.

They run on the CPU too, which is how they are tested where there is no GPU. Sums are taken in
another order than on the CPU, on CUDA in an order that changes, so results agree to rounding."""
