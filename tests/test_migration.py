"""docs/migrate: the code of the other library, too, runs against the library itself.

Each page has one block of the other library (``py``) and one of Cofactor (``python``, run by
test_docs). The other's runs in an environment that holds the library: a folder that COFACTOR_PEERS
names, with ``peers-NAME/bin/python`` in it; `make migration` makes them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "migrate").glob("*.md"))
# What stands before a page's block: the data that a reader has at that point.
MATRIX = """
import numpy as np
from scipy.sparse import coo_matrix, random as random_matrix
user_items = random_matrix(60, 40, density=0.2, format="csr", random_state=0)
user_items.data[:] = 1
"""
BEFORE: dict[str, str] = {
    "implicit": MATRIX,
    "lightfm": MATRIX
    + """
coo = user_items.tocoo()
held = np.random.default_rng(0).random(len(coo.data)) < 0.2
train, test = (
    coo_matrix((coo.data[one], (coo.row[one], coo.col[one])), shape=coo.shape, dtype=np.float32)
    for one in (~held, held)
)
""",
    "surprise": """
import numpy as np, pandas as pd
from surprise import Reader
draw = np.random.default_rng(0)
users, items = np.nonzero(draw.random((40, 30)) < 0.4)
frame = pd.DataFrame({"user": users, "item": items, "rating": draw.integers(1, 6, len(users))})
reader = Reader(rating_scale=(1, 5))
""",
    "rectools": """
import numpy as np, pandas as pd
draw = np.random.default_rng(0)
rows, columns = np.nonzero(draw.random((40, 30)) < 0.4)
frame = pd.DataFrame({"user_id": rows, "item_id": columns, "weight": 1.0})
frame["datetime"] = pd.Timestamp("2026-01-01")
users = [0, 1, 2]
""",
    "recbole": "",
    "spotlight": MATRIX
    + """
from spotlight.interactions import Interactions
coo = user_items.tocoo()
train = Interactions(coo.row.astype(np.int32), coo.col.astype(np.int32), num_users=60, num_items=40)
""",
}


def block(page: Path) -> str:
    (found,) = re.findall(r"^```py\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def by_name(page: Path) -> str:
    return page.stem


def test_every_page_is_known_here() -> None:
    assert {page.stem for page in PAGES} == set(BEFORE)
    for page in PAGES:
        compile(BEFORE[page.stem] + block(page), page.name, "exec")


@pytest.mark.timeout(1800)  # RecBole fetches its data and trains
@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_the_other_librarys_code_runs(page: Path, tmp_path: Path) -> None:
    home = os.environ.get("COFACTOR_PEERS")
    if not home:
        pytest.skip("COFACTOR_PEERS names no folder of environments; see `make migration`")
    python = Path(home) / f"peers-{page.stem}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{page.stem} has no environment in COFACTOR_PEERS")
    script = tmp_path / "theirs.py"
    script.write_text(BEFORE[page.stem] + block(page), encoding="utf-8")
    env = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-W", "ignore", script], capture_output=True, text=True, cwd=tmp_path, env=env
    )
    assert done.returncode == 0, done.stderr[-2000:]
