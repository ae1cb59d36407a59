"""How long fits of a family will take: by one epoch, a small inverse, or a fit on some users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.kernels.work import run_context
from cofactor.runs.automatic.families import Family, Settings
from cofactor.runs.automatic.trials import Allowance, FamilyTrial
from cofactor.runs.samples import sample

# A first fit may take this share of the budget.
FIRST_SHARE = 0.12
# A closed form may take more: it is often the best, and can't be trained for less.
_WHOLE_SHARE = 0.3
# Interactions on which fits are timed that can't be ended; with fewer than two times as many they
# aren't timed, nor are trainings of few epochs.
_PILOT = 50_000
# The epochs (or sweeps) of two fits that say what each further one takes.
_SHORT, _LONG = 2, 8
# Side of the matrix whose inverse measures the machine's speed.
_SIDE = 768


@dataclass
class Forecast:
    """What first fits will take on a split.

    Parameters
    ----------
    parts
        What is fitted on.
    allowance
        The time that there is; what is tried here counts.
    run
        Seed and threads.
    """

    parts: Split
    allowance: Allowance
    run: Run

    def __post_init__(self) -> None:
        self.speed: float | None = None
        self.imported: set[str] = set()

    def first_settings(self, family: Family, own: Settings, run: Run) -> Settings | None:
        """Return the settings of a first fit that takes no longer than its share of the budget.

        Parameters
        ----------
        family
            Which.
        own
            Settings that it has anyway.
        run
            Of fits that are tried; it may end them.

        Returns
        -------
        Settings | None
            ``own``, perhaps with a shorter training; None where every fit would take too long.
        """
        seconds = self.allowance.seconds
        if family.dense and self._dense_seconds() > _WHOLE_SHARE * seconds:
            return None
        if family.length is None:
            return own if self._short_enough(family, own, run) else None
        usual = family.usual_length
        chosen = family.kind.Config.defaults()[family.length] is None
        # Of a short training of little data, what comes before the first epoch takes the most.
        if usual <= _LONG and not chosen and len(self.parts.train) < 2 * _PILOT:
            return own
        # Choosing the epochs takes up to twice their usual number, and then comes the fit.
        wanted, limit = (3 if chosen else 1) * usual, FIRST_SHARE * seconds
        short = self._seconds(family, {**own, **family.lasting(_SHORT)}, self.parts.train, run)
        if short * wanted / _SHORT <= limit:
            return own
        if usual > _LONG:
            # What a fit takes before its first epoch isn't taken again for each of them.
            long = self._seconds(family, {**own, **family.lasting(_LONG)}, self.parts.train, run)
            each = max(long - short, 1e-9) / (_LONG - _SHORT)
            fitting = _LONG + int((limit - long) / each)
        else:  # a second short fit would be as long as the one that it is for
            fitting = int(_SHORT * limit / short)
            if fitting < usual // 2:
                return None
        if fitting >= wanted:
            return own
        fitting = min(fitting, usual)
        if fitting < max(2, usual // 30):
            return None
        return {**own, **family.lasting(fitting)}

    def _short_enough(self, family: Family, own: Settings, run: Run) -> bool:
        """Whether a fit that can't be shortened or ended is expected to take no more than a closed
        form may.
        """
        n = len(self.parts.train)
        if family.dense or n < 2 * _PILOT:
            return True
        some = sample(self.parts, _PILOT, self.run.seed).train
        ahead = self._seconds(family, own, some, run) * n / max(1, len(some))
        return ahead <= _WHOLE_SHARE * self.allowance.seconds

    def _seconds(self, family: Family, settings: Settings, data: Interactions, run: Run) -> float:
        """The time of a fit, without anything that happens once on a machine or in a process."""
        compiled = self.allowance.compiled
        seconds = self._timed(family, settings, data, run)
        # Compiled code is kept on disk, and a network's first fit imports PyTorch.
        imported = family.network and family.name not in self.imported
        if imported or self.allowance.compiled > compiled:
            self.imported.add(family.name)
            self.allowance.extra += seconds
            seconds = self._timed(family, settings, data, run)
        return seconds

    def _timed(self, family: Family, settings: Settings, data: Interactions, run: Run) -> float:
        model = family.kind(family.config(settings))
        with self.allowance.without_compiling() as taken:
            model.fit(data, run=run)
        return taken()

    def _dense_seconds(self) -> float:
        """How long the inverse of the square matrix takes: of items, or of users if fewer."""
        train = self.parts.train
        if self.speed is None:
            draw = np.eye(_SIDE, dtype=np.float32) * _SIDE
            draw += self.run.generator("auto", "inverse").random((_SIDE, _SIDE), np.float32)
            took = []
            with run_context(self.run):
                for _ in range(2):
                    began = self.allowance.now()
                    np.linalg.inv(draw)
                    took.append(self.allowance.now() - began)
            self.speed = min(took) / _SIDE**3
        side = min(train.n_items, 2 * int((train.user_counts > 0).sum()))
        return self.speed * side**3


def later_seconds(last: FamilyTrial, settings: Settings) -> float:
    """Return what a fit will take, by the last one of its family."""
    defaults, scale = last.family.kind.Config.defaults(), 1.0
    for name in ("factors", "epochs", "sweeps", "neighbours"):
        if name in defaults:
            old, new = (one.get(name, defaults[name]) for one in (last.settings, settings))
            scale *= max(1.0, (new or 1) / (old or 1)) if old and new else 1.0
    return last.seconds * scale
