#!/bin/sh
# Install the pinned PyTorch: its CPU build where there is no GPU, so that no gigabytes of CUDA libraries come along.
# Usage: install_torch.sh PYTHON
set -eu
python=$1
version=$(sed -n 's/^torch==//p' constraints.txt)
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
  echo "PyTorch $version for the GPU that was found"
  exec "$python" -m pip install --quiet "torch==$version"
fi
echo "PyTorch $version, CPU build (no NVIDIA GPU was found)"
# Offered by the package index that pip is set up with, or by PyTorch's own, which uv knows.
"$python" -m pip install --quiet "torch==$version+cpu" 2>/dev/null && exit 0
"$python" -m pip install --quiet uv 2>/dev/null &&
  "$python" -m uv pip install --quiet --python "$python" --torch-backend=cpu "torch==$version" 2>/dev/null && exit 0
echo "no CPU build can be had here; installing the default one"
exec "$python" -m pip install --quiet "torch==$version"
