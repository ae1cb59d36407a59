"""A command or an option that isn't there: what it is called here, or the nearest name, or nothing
rather than a name that means something else.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("train x.csv --output y", "no such option: --output (here it is --out); see `cofactor"),
        ("train x.csv -o y", "no such option: -o (here it is --out)"),
        ("train x.csv --catalog y", "(here it is --items)"),
        ("train x.csv --user who", "(here it is --columns user=NAME)"),
        ("train x.csv --model ials --factors 8", "(it is a setting of ials: --set factors=VALUE)"),
        ("tune x.csv --model ials --cg-steps=8", "(it is a setting of ials: --set cg_steps="),
        ("train x.csv --model nothing --factors 8", "(did you mean --features?)"),
        ("train x.csv --metric auc", "(did you mean --metrics"),
        ("train x.csv --on_bad skip", "(did you mean --on-bad?)"),
        ("train x.csv --verbose", "no such option: --verbose; see `cofactor train --help`."),
        ("train x.csv --test-size .1", "(here it is --test)"),
        ("recommend m --top 5", "(here it is -k)"),
        ("recommend m --filter x", "(here it is --where)"),
        ("recommend m --sep x", "no such option: --sep; see `cofactor recommend --help`."),
        ("similar m --exclude x", "no such option: --exclude; see"),
        ("events export a b --force", "(here it is --overwrite)"),
        ("predict m", "unknown command 'predict'; did you mean recommend?"),
        ("Fit x.csv", "did you mean train?"),
        ("serch", "unknown command 'serch'; see `cofactor --help`."),
        ("tran x.csv", "did you mean train"),
        ("recomend x", "did you mean recommend?"),
    ],
)
def test_what_was_probably_meant(cofactor: Run, words: str, sentence: str) -> None:
    ran = cofactor(*words.split())
    assert (ran.code, sentence in ran.sentence) == (2, True), ran.err
