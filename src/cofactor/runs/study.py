"""A study of `tune` as Optuna keeps it: the file, its trials, and the best of them."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cofactor.base import checks, sqlite_file
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.extras import require
from cofactor.base.staging import staging_folder
from cofactor.models import registry

_STUDY = "cofactor"
DEFAULT = "default"  # marks the trial with the default settings


def check_file(out: str | os.PathLike[str] | None) -> bool:
    """Return whether a study's file is there.

    Raises
    ------
    ArgumentError
        If it can't be one: it isn't a study, it is a folder, or its folder isn't there.
    """
    if out is None:
        return False
    path = checks.path(out, "out")
    if "?" in str(out):  # it would begin the options of a database URL
        raise ArgumentError(f"{out}: a study's file can't have a question mark in its path.")
    if path.is_dir():
        raise ArgumentError(f"{out} is a folder; name a file for the study.")
    if path.exists():
        _require_study(path)
        return True
    if not path.absolute().parent.is_dir():
        raise ArgumentError(f"{out}: there is no folder {Path(out).parent}; make it first.")
    return False


def open_study(
    optuna: Any,
    out: str | os.PathLike[str] | None,
    facts: dict[str, Any],
    *,
    lower_is_better: bool,
) -> Any:
    """A new study, or the one in the file; see `check_file`."""
    there = check_file(out)
    out = None if out is None else os.path.expanduser(out)
    wanted = {"study_name": _STUDY, "direction": "minimize" if lower_is_better else "maximize"}
    if out is not None and not there:
        _make(optuna, Path(out), wanted)
    storage = None if out is None else _storage(optuna, out)
    study = optuna.create_study(**wanted, storage=storage, load_if_exists=True)
    if there:
        kept = study.user_attrs.get("facts", {} if study.trials else facts)
        others = [name for name, value in facts.items() if kept.get(name) != value]
        if others:
            raise ArgumentError(
                f"{out} holds a study with another {', '.join(others)}; name another file, or"
                " search as before."
            )
    study.set_user_attr("facts", facts)
    for trial in study.get_trials(deepcopy=False):
        if trial.state == optuna.trial.TrialState.RUNNING:  # of a search that was killed
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _make(optuna: Any, path: Path, wanted: dict[str, Any]) -> None:
    """Make the file of a new study, which is there as a whole or not at all: one with tables and
    without a study would be refused when the search is begun again.
    """
    with staging_folder(path) as staging:
        optuna.create_study(**wanted, storage=_storage(optuna, staging / path.name))
        if not path.exists():  # another search may have been faster
            os.replace(staging / path.name, path)


def _storage(optuna: Any, path: str | os.PathLike[str]) -> Any:
    """A study's file, which stays open only while something is read or written."""
    from sqlalchemy.pool import NullPool

    url = f"sqlite:///{Path(path).absolute()}"
    return optuna.storages.RDBStorage(url, engine_kwargs={"poolclass": NullPool})


@contextmanager
def keeping(out: str | os.PathLike[str] | None) -> Iterator[None]:
    """Raise a `CofactorError` in one sentence where a study's file can't be read or written.

    Raises
    ------
    CofactorError
        If the disk is full, or the file can't be written or read.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except Exception as error:
        # Optuna wraps some of its database errors.
        met = next((e for e in (error, error.__cause__) if isinstance(e, DBAPIError)), None)
        if out is None or met is None:
            raise
        raise CofactorError(
            f"{out}: the study can't be kept there ({met.orig}); trials that were kept stay, and"
            " the same command goes on from them."
        ) from error


def _require_study(path: Path) -> None:
    """Refuse a file that isn't a study of ours, before Optuna writes its tables into it."""
    journal = path.with_name(path.name + "-journal")
    try:
        # A search that was killed while it wrote left a change that is taken back by whoever may
        # write.
        with sqlite_file.opened(path, repair=journal.exists()) as file:
            names = [name for (name,) in file.execute("SELECT study_name FROM studies")]
    except sqlite3.DatabaseError:
        names = []
    if names != [_STUDY]:
        raise ArgumentError(f"{path} isn't a study of cofactor tune; name another file.")


def counts(trial: Any) -> bool:
    """Whether a trial has ended and its value can be compared with others."""
    return trial.state.name in ("COMPLETE", "PRUNED") or "why" in trial.user_attrs


def finished(study: Any) -> list[Any]:
    """Return the finished trials of a study."""
    return [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]


def best_trial(study: Any) -> Any:
    """The best finished trial, the earlier of two equal ones; None if there is none."""
    sign = -1 if study.direction.name == "MINIMIZE" else 1
    return max(finished(study), key=lambda trial: sign * trial.value, default=None)


def config_of(best: Any, fixed: Any) -> Any:
    """The configuration of a trial. The trial of the defaults keeps their number of epochs: which
    epoch was best for a few hundred users is partly luck.
    """
    chosen = best.user_attrs.get("chosen", {})
    tried = fixed
    if DEFAULT not in best.user_attrs:
        epochs = best.user_attrs["epochs"]
        lengths = {} if epochs is None else {"epochs": epochs}
        tried = fixed.with_values({**best.user_attrs["settings"], **lengths})
    return tried.with_values(chosen) if chosen else tried


def best_of_study(path: str | os.PathLike[str]) -> tuple[str, Any]:
    """Return the model and the best configuration of a study's file.

    Raises
    ------
    ArgumentError
        If it isn't a study, or none of its trials was finished.
    """
    optuna = require("optuna", purpose="reading a study")
    _require_study(Path(path))
    with quiet(optuna):
        study = optuna.load_study(study_name=_STUDY, storage=_storage(optuna, path))
        best, facts = best_trial(study), study.user_attrs.get("facts", {})
    if best is None or not facts:
        raise ArgumentError(f"{path}: no trial of this study was finished yet.")
    words = [f"{name}={value}" for name, value in facts["settings"].items()]
    return facts["model"], config_of(best, registry.get(facts["model"]).Config.from_text(words))


@contextmanager
def quiet(optuna: Any) -> Iterator[None]:
    """Silence Optuna's own log and warnings: its results are reported by `tune`."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
