"""What train, compare and tune measured, kept in a folder of runs and logged to trackers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cofactor.evaluation.result import Result
from cofactor.runs.compare import Compared
from cofactor.runs.kept_runs import KeptRun, check_folder, keep_run, run_of
from cofactor.runs.trackers import Curves, Tracker, trackers
from cofactor.runs.train import Trained


@dataclass(frozen=True)
class Keeping:
    """Where runs go: a folder, or None, and trackers."""

    folder: str | None
    trackers: tuple[Tracker, ...]

    @classmethod
    def prepared(cls, folder: str | None, tracked: Iterable[str]) -> Self:
        """Return it, checked: the folder is made, and trackers are imported."""
        if folder is not None:
            check_folder(folder)
        return cls(folder, tuple(trackers(tracked)))

    def keep_compared(
        self, command: str, done: Compared, more: Mapping[str, Any] = {}
    ) -> list[str]:
        """Keep what several models reached; return what is to be said."""
        facts = done.to_dict()
        kept = {name: facts[name] for name in ("tests", "best", "failures", "sentences")}
        results = list(done.results.values())
        run = run_of(
            command,
            results,
            source=done.data.source,
            models={one.model: done.models[_fitted_label(one)].name for one in results},
            seconds=done.seconds,
            more={**kept, **more},
        )
        curves = {label: model.curve for label, model in done.models.items()}
        return self._keep(run, results, curves)

    def keep_trained(self, done: Trained) -> list[str]:
        """Keep what a trained model and its baselines reached; return what is to be said."""
        if done.result is None:
            return ["Nothing was held out, so there is nothing to keep of this run."]
        beside = {} if done.baselines is None else done.baselines.results
        results = [done.result, *beside.values()]
        run = run_of(
            "train",
            results,
            source=done.model.data.source,
            models={done.result.model: done.model.name, **{name: name for name in beside}},
            seconds={done.result.model: done.seconds},
            more={
                "path": str(done.path),
                "sentences": [] if done.baselines is None else done.baselines.sentences(),
                "chosen": None if done.chosen is None else done.chosen.to_dict(),
            },
        )
        return self._keep(run, results, {done.result.model: done.model.curve})

    def _keep(self, run: KeptRun, results: Any, curves: Curves) -> list[str]:
        said = []
        if self.folder is not None:
            said.append(f"Kept as {keep_run(self.folder, run, results)}")
        for log in self.trackers:
            log(run, curves)
        return said


def _fitted_label(result: Result) -> str:
    """The label of the model that was fitted: a result under rules of reranking adds the rules."""
    rules = result.how.rerank
    return result.model.removesuffix(f" + {rules}") if rules else result.model
