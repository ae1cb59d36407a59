"""Small files, of which most of a reading is what doesn't depend on their size."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from cofactor.data.readers import read
from cofactor.data.readers.source_files import Source

ROWS = [("u1", 7, 3.5, 964_982_703), ("u2", 9, 1.0, 964_982_704), ("u1", 9, 5.0, 964_982_705)]
TABLE = "user,item,rating,time\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)
LINES = "".join(
    json.dumps(dict(zip(("user", "item", "rating", "time"), row, strict=True))) + "\n"
    for row in ROWS
)
LISTS = "1 2 3\n2 3\n3 1 2 3 4\n"
BLOCKS = "1:\n10,3,2005-09-06\n2:\n10,5,2005-10-01\n"


@pytest.mark.parametrize(
    ("name", "content", "most"),
    [
        ("a.csv", TABLE.encode(), 1),
        ("a.dat", LISTS.encode(), 1),
        ("a.txt", BLOCKS.encode(), 1),
        ("a.jsonl", LINES.encode(), 1),
        ("a.json", json.dumps([{"user": u, "item": i} for u, i, *_ in ROWS]).encode(), 1),
        ("a.csv.gz", gzip.compress(TABLE.encode(), mtime=0), 2),
    ],
)
def test_a_small_file_is_read_from_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, most: int
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    opened: list[Path] = []
    whole = Path.open

    def counted(self: Path, *given: object, **named: object) -> object:
        opened.append(self)
        return whole(self, *given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", counted)
    assert len(read(path)) > 1
    assert opened.count(path) <= most, f"opened {opened.count(path)} times"


def test_a_member_of_a_zip_is_no_larger_than_the_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", TABLE)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 20  # the packed size in the list of members
    content[at : at + 4] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    [entry] = Source(path).entries
    assert entry.packed_bytes <= path.stat().st_size
    assert len(read(path)) == len(ROWS)
