#!/bin/sh
# Install the pinned PyTorch: its CPU build where there is no GPU, so that no gigabytes of CUDA libraries come along.
# What was installed is said at the end, by what PyTorch says of itself.
# Usage: install_torch.sh PYTHON
set -eu
python=$1
version=$(sed -n 's/^torch==//p' constraints.txt)
said() {
  "$python" -c 'import torch; print(f"PyTorch {torch.__version__}:", f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU build")'
}
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
  echo "An NVIDIA GPU was found; installing PyTorch $version for it ..."
  "$python" -m pip install --quiet "torch==$version"
else
  echo "No NVIDIA GPU was found; installing PyTorch $version without CUDA where that can be had ..."
  # Offered by the package index that pip is set up with, or by PyTorch's own, which uv knows.
  "$python" -m pip install --quiet "torch==$version+cpu" 2>/dev/null ||
    { "$python" -m pip install --quiet uv 2>/dev/null &&
      "$python" -m uv pip install --quiet --python "$python" --torch-backend=cpu "torch==$version" 2>/dev/null; } ||
    # For some systems the index has one build, which is the CPU's; on Linux it has CUDA.
    "$python" -m pip install --quiet "torch==$version"
fi
said
