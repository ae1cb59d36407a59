#!/bin/sh
# Build the wheel, install it in a clean environment, and use it as a stranger would, away from the source tree.
# Usage: smoke_wheel.sh PYTHON BUILD_PYTHON
set -eu
python=$1
build_python=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
root=$(cd "$(dirname "$0")/.." && pwd)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

"$build_python" -m build --wheel --outdir "$room/dist" "$root" >"$room/build.log" 2>&1 || { cat "$room/build.log"; exit 1; }
"$python" -m venv "$room/venv"
"$room/venv/bin/python" -m pip install --quiet --upgrade pip 2>/dev/null || true
# The light install: no extra, so no PyTorch, no server, no plots.
"$room/venv/bin/python" -m pip install --quiet --constraint "$root/constraints.txt" "$room"/dist/*.whl
! "$room/venv/bin/python" -c "import torch" 2>/dev/null || { echo "the light install brought PyTorch"; exit 1; }

cd "$room"
unset PYTHONPATH COFACTOR_DATA || true
venv/bin/cofactor --help >/dev/null
printf 'user,item\n' >events.csv
for u in 1 2 3 4 5 6 7 8 9; do for i in 1 2 3 4 5; do echo "u$u,i$(( (u * i) % 7 ))" >>events.csv; done; done
venv/bin/cofactor train events.csv --model ease --out model --test 0 >/dev/null
venv/bin/cofactor recommend model --user u1 -k 2 --json >recs.json
venv/bin/python -c "import json; assert json.load(open('recs.json'))['recommendations']"
venv/bin/cofactor inspect model >/dev/null
venv/bin/cofactor demo --out demo-model >/dev/null
# What an extra brings is asked for by the extra's name, in one sentence.
for words in "serve model" "train events.csv --model mlp --out mlp --test 0"; do
  venv/bin/cofactor $words 2>error.txt && { echo "cofactor $words worked without its extra"; exit 1; }
  grep -q "pip install 'cofactor\[" error.txt || { cat error.txt; exit 1; }
done
echo "wheel: built, installed without extras in a clean environment ($(du -sm venv | cut -f1) MB), demo, trained, recommended"
