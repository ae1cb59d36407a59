"""What a killed process leaves beside a backup, an export, a restored store or a model."""

from __future__ import annotations

from pathlib import Path

import pytest

import cofactor
from cofactor.store import Event, backup, export_events, open_store, restore


@pytest.mark.parametrize("made", ["b.db", "e.jsonl.gz", "again.db", "m"])
def test_the_next_one_removes_what_a_killed_one_left(made: str, tmp_path: Path) -> None:
    """A copy as large as the store stood there for ever, under another name each time."""
    left = tmp_path / f".{made}-0123456789ab.partial"
    (left / "new").mkdir(parents=True)
    (left / "new" / made).write_text("half of it")
    (left / "lock").touch()
    with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        store.append([Event(user_id=1, item_id="a")]).result()
        backup(store, tmp_path / ("b.db" if made == "b.db" else "other.db"))
        if made == "e.jsonl.gz":
            export_events(store, tmp_path / made)
        elif made == "again.db":
            restore(tmp_path / "other.db", f"sqlite:///{tmp_path / made}")
        elif made == "m":
            model = cofactor.Popularity().fit([("a", "x"), ("b", "x"), ("b", "y")])
            cofactor.save(model, tmp_path / made)
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
