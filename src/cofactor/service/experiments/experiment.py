"""Experiments, and the file in which a folder of versions keeps them.

``experiments.json`` lies beside ``current`` and is replaced in one atomic step; a service that uses
the folder notices, as it notices a promotion."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from cofactor.artifact.load import load
from cofactor.base.disk import stamp_of
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.state_file import StateError, read_state, write_state
from cofactor.models.recommender import Recommender
from cofactor.retrieval.exploration import parse_exploration
from cofactor.service.versions.versions import Folder

FILE = "experiments.json"
KINDS = ("ab", "interleave", "shadow")
ANY = "*"  # any kind of event that is positive feedback
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_DAY = 86_400


class Arm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a part of the users gets.

    Parameters
    ----------
    version
        A version of the folder.
    share
        The part of the users, above 0 and at most 1.
    explore
        How its lists are drawn, as `parse_exploration` reads it; None for the ranking itself.
    """

    version: str
    share: float
    explore: str | None = None

    @property
    def name(self) -> str:
        """The version, and how its lists are drawn."""
        return self.version if self.explore is None else f"{self.version}~{self.explore}"


class AttributionRules(msgspec.Struct, frozen=True, kw_only=True):
    """How events become outcomes.

    Parameters
    ----------
    rewards
        Kind of event -> what it is worth; ``*`` stands for any other kind that is positive
        feedback.
    window
        Seconds after a list in which an event on one of its items counts for it.
    horizon
        Seconds after a user's first list whose lists count for the user.
    """

    rewards: dict[str, float] = msgspec.field(default_factory=lambda: {ANY: 1.0})
    window: int = _DAY
    horizon: int = 7 * _DAY


class Experiment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An experiment; the first arm is the control.

    Parameters
    ----------
    name
        Unique in the folder.
    kind
        ``ab`` (each user gets one arm), ``interleave`` (lists of both arms' items), or ``shadow``
        (the second arm answers too, and nobody sees it).
    arms
        Two or more; two for all but ``ab``.
    salt
        Drawn once: who gets which arm follows from it and the user's id.
    started, ended
        Seconds since 1970; None while it runs.
    rules
        How events become outcomes.
    rolled_out
        The version that was promoted in the end, if one was.
    """

    name: str
    kind: str
    arms: list[Arm]
    salt: str
    started: int
    rules: AttributionRules = AttributionRules()
    ended: int | None = None
    rolled_out: str | None = None

    def share_of(self, user_id: str) -> float:
        """Return a user's hash in [0, 1): uniform over users, and always the same."""
        digest = hashlib.sha256(f"{self.salt}\0{user_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    def arm_of(self, user_id: str) -> Arm | None:
        """Return a user's arm; None for users outside the experiment."""
        place = self.share_of(user_id)
        for arm in self.arms:
            if place < arm.share:
                return arm
            place -= arm.share
        return None

    def includes(self, user_id: str) -> bool:
        """Return whether a user takes part in an interleaved or shadow experiment."""
        return self.share_of(user_id) < sum(arm.share for arm in self.arms)


def new_salt() -> str:
    """Return a salt that nobody can guess: who gets which arm follows from it."""
    return secrets.token_hex(16)


def parse_arms(text: str) -> list[Arm]:
    """Read ``v3:50,v4~slots=0.1:50``: version, how to explore, and percent of the users.

    Raises
    ------
    ArgumentError
        If it can't be read, or the shares are more than 100 %.
    """
    arms = []
    for part in text.split(","):
        name, _, percent = part.strip().rpartition(":")
        version, _, explore = name.partition("~")
        if not version or not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", percent):
            raise ArgumentError(f"arms must be like v3:50,v4:50 (version:percent), not {text!r}.")
        if explore:
            parse_exploration(explore)
        arms.append(Arm(version=version, share=float(percent) / 100, explore=explore or None))
    total = sum(arm.share for arm in arms)
    if not all(arm.share > 0 for arm in arms) or total > 1 + 1e-9:
        raise ArgumentError(f"the arms' percents must be above 0 and at most 100 together: {text}.")
    if len({arm.name for arm in arms}) != len(arms) or len(arms) < 2:
        raise ArgumentError(f"arms must be two or more, all different, not {text!r}.")
    return arms


def parse_rewards(text: str) -> dict[str, float]:
    """Read ``click=1,purchase=5``; ``*`` stands for any other kind that is positive feedback."""
    rewards: dict[str, float] = {}
    for part in text.split(","):
        kind, _, worth = part.strip().partition("=")
        if not kind or kind in rewards or not re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", worth):
            raise ArgumentError(f"rewards must be like click=1,purchase=5, not {text!r}.")
        rewards[kind] = float(worth)
    return rewards


class Experiments:
    """The experiments of a folder of versions.

    Parameters
    ----------
    folder
        The folder; one with versions, not a single saved model.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder.path / FILE

    def stamp(self) -> tuple[int, int] | None:
        """Return something that changes whenever the file is replaced."""
        return stamp_of(self.path)

    def all(self) -> list[Experiment]:
        """Return all experiments, the latest last.

        Raises
        ------
        ArtifactError
            If the file can't be read.
        """
        try:
            return read_state(self.path, list[Experiment])
        except FileNotFoundError:
            return []
        except StateError as error:
            raise ArtifactError(
                f"{self.path} can't be read: {error}; fix it, or delete it: then there are no"
                " experiments."
            ) from None

    def running(self) -> list[Experiment]:
        """Return those that run: at most one of kinds ``ab`` and ``interleave``, and one shadow."""
        return [one for one in self.all() if one.ended is None]

    def get(self, name: str | None) -> Experiment:
        """Return an experiment by name; for None the latest of those that run, else the latest.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        every = [one for one in self.all() if name is None or one.name == name]
        found = [one for one in every if name is None and one.ended is None] or every
        if not found and name is None:
            raise ArgumentError(
                "there is no experiment yet; `cofactor experiment start` begins one."
            )
        if not found:
            known = ", ".join(one.name for one in self.all()[-10:]) or "none"
            raise ArgumentError(f"there is no experiment {name!r}; there are: {known}.")
        return found[-1]

    def start(
        self,
        name: str,
        kind: str,
        arms: list[Arm],
        rules: AttributionRules,
        now: float | None = None,
    ) -> Experiment:
        """Start an experiment, at a moment or right now.

        Raises
        ------
        ArgumentError
            If the name is taken, a version isn't there, another one runs already, or the arms
            don't suit the kind.
        """
        self.folder.check_changeable()
        _check(name, kind, arms, rules)
        for arm in arms:
            place = self.folder.folder(arm.version)
            check_draws(arm.explore, arm.version, partial(load, place))
        known = self.all()
        if any(one.name == name for one in known):
            raise ArgumentError(f"name: there is an experiment {name!r} already; choose another.")
        for one in known:
            if one.ended is None and (one.kind == "shadow") == (kind == "shadow"):
                raise ArgumentError(
                    f"the experiment {one.name!r} is running; stop it before another is started."
                )
        begun = Experiment(
            name=name,
            kind=kind,
            arms=arms,
            rules=rules,
            salt=new_salt(),
            started=int(time.time() if now is None else now),
        )
        self._write([*known, begun])
        return begun

    def stop(self, name: str | None, rolled_out: str | None = None) -> Experiment:
        """End an experiment: everybody gets the current version again."""
        one = self.get(name)
        if one.ended is not None and rolled_out is None:
            raise ArgumentError(f"the experiment {one.name!r} has ended already.")
        ended = one.ended if one.ended is not None else int(time.time())
        done = msgspec.structs.replace(one, ended=ended, rolled_out=rolled_out)
        self._write([done if other.name == one.name else other for other in self.all()])
        return done

    def _write(self, experiments: list[Experiment]) -> None:
        raw = msgspec.json.format(msgspec.json.encode(experiments), indent=2)
        write_state(self.path, raw + b"\n")


def check_draws(explore: str | None, version: str, load: Callable[[], Recommender]) -> None:
    """Refuse Thompson sampling from a version without a posterior: it would show its ranking.

    Raises
    ------
    ArgumentError
        If there is nothing to draw from.
    """
    if explore is None or parse_exploration(explore).kind != "thompson":
        return
    model = load()
    if not model.has_draws():
        raise ArgumentError(
            f"{version} is a model of {model.name}, which has no posterior draws, so it can't be"
            " sampled from by Thompson sampling; use bayesian_mf, or explore by slots or softmax."
        )


def _check(name: str, kind: str, arms: list[Arm], rules: AttributionRules) -> None:
    if not _NAME.match(name):
        raise ArgumentError(f"name must be 1 to 64 letters, digits, '_', '.' or '-', not {name!r}.")
    if kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.")
    if kind != "ab":
        if len(arms) != 2:
            raise ArgumentError(f"{kind} compares two arms, not {len(arms)}.")
        if any(arm.explore is not None for arm in arms):
            raise ArgumentError(f"{kind} compares the rankings themselves, without exploration.")
    if rules.window < 1 or rules.horizon < 1:
        raise ArgumentError("window and horizon must be at least a second.")
