"""Checks of arguments: paths and numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.artifact.save import check_target
from cofactor.base import checks
from cofactor.base.errors import ArgumentError, ArtifactError, CofactorError


@pytest.mark.parametrize("odd", ["", "a\0b", 5, None, b"model", 1.5, True])
def test_what_names_no_file_is_refused_wherever_a_path_is_taken(
    odd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An empty text is not the current folder, where a model may lie.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "a.csv").write_text("user,item\nu,i\n")
    for call in (cofactor.load, cofactor.inspect, check_target):
        with pytest.raises(ArgumentError, match="path must name a file or a folder"):
            call(odd)
    with pytest.raises(ArgumentError, match="source must"):
        cofactor.read(odd)


def test_a_name_that_is_too_long_is_refused_in_a_sentence(tmp_path: Path) -> None:
    name = str(tmp_path / ("x" * 300))
    for call in (cofactor.load, check_target, cofactor.read):
        with pytest.raises(CofactorError):
            call(name)


def test_a_deleted_current_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for call in (cofactor.load, check_target, cofactor.read):
        with pytest.raises(ArgumentError, match="current folder was deleted"):
            call("model")
    assert checks.path(tmp_path, "path") == tmp_path


def test_the_home_is_the_home_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_target("~/model") == tmp_path / "model"
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        cofactor.load("~/model")


@pytest.mark.parametrize("huge", [10**400, -(10**5000)], ids=["large", "small"])
def test_numbers_beyond_any_float_are_refused_in_a_sentence(huge: int) -> None:
    with pytest.raises(ArgumentError, match="value must be a finite number"):
        checks.real(huge, "value")
    with pytest.raises(ArgumentError, match="factors must be an integer in 1..9"):
        checks.integer(huge, "factors", low=1, high=9)
