"""A source in chunks gives the rows that it gives as a whole, wherever it is cut."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.data.readers import chunks as cut
from cofactor.data.readers.columns import Options

_ROWS = [f"u{n},a{n % 7},{n % 5},{1_546_646_400 + n // 3}" for n in range(40)]
_BODY = "\n".join(_ROWS) + "\n"
_HEADER = "user,item,rating,time\n"
FILES: dict[str, str | bytes] = {
    "plain": _HEADER + _BODY,
    "a header over two lines": '"user\nid",item,rating,"the\ntime"\n' + _BODY,
    "a title, a header over two lines": 'Sales\n\n"user\nid",item,rating,time\n' + _BODY,
    "empty lines below": _HEADER + _BODY + ",,,\n" * 30,
    "the header again and again": _HEADER + _BODY + _HEADER * 20,
    "delimiters that end the rows": _HEADER + _BODY.replace("\n", ",\n"),
    "names of rows that the header lacks": _HEADER
    + "".join(f"{n},{r}\n" for n, r in enumerate(_ROWS)),
    "blocks": "".join(
        f"{i}:\n" + "".join(f"{n},{n % 5},2005-09-06\n" for n in range(9)) for i in range(4)
    ),
    "texts over lines": "user,item\n" + "".join(f'"u\n{n}","a,{n % 3}"\n' for n in range(40)),
    "UTF-16": (_HEADER + _BODY).encode("utf-16"),
    "no header": _BODY,
}


def rows_of(parts: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for part in parts:
        values = [None] * len(part) if part.values is None else part.values.tolist()
        times = [None] * len(part) if part.times is None else part.times.tolist()
        ids = (map(str, side.to_pylist()) for side in (part.users, part.items))
        found += zip(*ids, values, times, strict=True)
    return found


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [50, 200])
def test_chunks_give_the_rows_of_the_whole(
    name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = FILES[name]
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setattr(cut, "TEXT_BLOCK", size)
    read = partial(cofactor.read, now=1.8e9)
    parts = list(cut.chunks(path, Options(now=1.8e9), rows=7, whole=read))
    whole = rows_of([read(path)])
    assert rows_of(part.events for part in parts) == whole
    # Behind one of them it continues with those that follow.
    middle = len(parts) // 2
    rest = cut.chunks(path, Options(now=1.8e9), 7, read, parts[middle].done)
    assert rows_of(part.events for part in [*parts[: middle + 1], *rest]) == whole
