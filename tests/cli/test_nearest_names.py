"""Typing errors in paths and names: the message offers what is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("describe evnts.csv", "no such file or folder; did you mean events.csv?"),
        ("describe Events.csv", "did you mean events.csv?"),
        ("describe sub/evens.csv", "did you mean sub/events.csv?"),
        ("describe events", "no public dataset of that name; did you mean events.csv?"),
        ("describe nothing.at.all.csv", "there is no such file or folder."),
        ("describe no/events.csv", "there is no such file or folder."),
        ("describe ml-100", "unknown dataset 'ml-100'; did you mean ml-100k"),
        ("describe events.csv,more.csv", "files are given one after the other, with spaces"),
        ("describe events.csv, more.csv", "files are given one after the other"),
        ("train events.csv --items boks.csv --out x", "did you mean books.csv?"),
        ("train events.csv --model sasrec --out x", "the nearest here is transformer."),
        ("train events.csv --model SVD --out x", "the nearest here is biased_mf (ratings) or ials"),
        ("train events.csv --model most-pop --out x", "the nearest here is popularity."),
        ("train events.csv --model ialss --out x", "did you mean ials"),
        ("train events.csv --model ials --set factors= --out x", "must be an integer, not ''"),
        ("inspect versions", "of saved models (v1, v2); give one of them, such as versions/v2."),
        ("inspect sub", "has no manifest.json, so it isn't a saved model"),
    ],
)  # fmt: skip
def test_a_typing_error_is_answered_with_what_is_near(
    cofactor: Run,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("events.csv", "more.csv", "books.csv", "sub/events.csv"):
        (tmp_path / name).write_text("user,item\na,x\nb,y\n")
    for version in ("v1", "v2") if "versions" in words else ():
        shutil.copytree(trained, tmp_path / "versions" / version)
    ran = cofactor(*words.split())
    assert (ran.code, sentence in ran.sentence) == (1, True), ran.err
