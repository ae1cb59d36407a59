"""Print the lowest versions that pyproject.toml allows, as constraints: ``numpy==2.0`` and so on.

python tools/lowest_versions.py [EXTRA ...] [EXTRA:NAME ...] > lowest.txt

EXTRA:NAME is one package of an extra.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest(extras: list[str]) -> list[str]:
    """Return the lower bound of each dependency, of the light install and of some extras."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for asked in extras:
        extra, _, name = asked.partition(":")
        of_extra = project["optional-dependencies"][extra]
        wanted += [one for one in of_extra if not name or one.startswith(f"{name}>=")]
    bounds = (re.match(r"([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?>=([0-9.]+)", one) for one in wanted)
    return [f"{found[1]}=={found[2]}" for found in bounds if found]


if __name__ == "__main__":
    print("\n".join(lowest(sys.argv[1:])))
