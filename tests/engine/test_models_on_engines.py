"""Every model on an engine: which are trained there, and that all answer there as they do here."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.base.engine import EngineError, Local
from cofactor.base.errors import ArgumentError, TraitError
from cofactor.base.run import Run
from cofactor.cli.main import main
from cofactor.data.splits import split
from cofactor.engines.packing import pack, unpack
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.runs.auto import auto
from cofactor.runs.recommend import recommend_all
from contract.cases import CASES
from contract.conftest import data_for

RUN = Run(seed=3, threads=1, device="cpu")
TRAINED = [name for name in CASES if registry.get(name).fits_on_engine]
REFUSED = [name for name in CASES if name not in TRAINED]


class Sending(Local):
    """Every value goes to a piece, and comes back, as to another process."""

    workers = 2

    def call(self, function: Any, *arguments: Any, **how: Any) -> Any:
        sent = [unpack(pack(argument)) for argument in arguments]
        return unpack(pack(super().call(function, *sent, **how)))


SENT = replace(RUN, engine=Sending())


def small(name: str) -> Any:
    """A model with one epoch, if it has epochs."""
    model = registry.create(name, **CASES[name])
    return model.set_params(epochs=1) if model.iterative else model


@pytest.mark.parametrize("name", CASES)
def test_every_model_answers_on_an_engine_as_in_one_process(name: str, tmp_path: Path) -> None:
    parts = split(data_for(name), "per-user", test=0.3, seed=1)
    model = small(name).fit(parts.train, run=RUN)
    metrics = "ndcg@5,rmse" if model.traits.predicts_ratings else "ndcg@5,coverage@5"
    whole, cut = (evaluate(model, parts, metrics, run=run).summary for run in (RUN, SENT))
    assert cut == whole
    for run, file in ((RUN, "whole.csv"), (SENT, "cut.csv")):
        recommend_all(model, tmp_path / file, 5, run=run)
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("name", REFUSED)
def test_models_without_pieces_are_refused_with_the_cure(name: str) -> None:
    with pytest.raises(TraitError, match=f"{name} isn't cut into pieces .* without --engine"):
        small(name).fit(data_for(name), run=SENT)


def test_the_refusal_and_the_docs_name_the_models_that_an_engine_trains() -> None:
    with pytest.raises(TraitError) as refused:
        small("popularity").fit(data_for("popularity"), run=SENT)
    assert set(re.findall(r"\w+", str(refused.value).partition("are:")[2])) == set(TRAINED)
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `train --model")]
    words = {
        word for row in rows for text in re.findall(r"`([^`]*)`", row) for word in text.split()
    }
    assert words & set(CASES) == set(TRAINED)


@pytest.mark.parametrize("name", [name for name in TRAINED if name != "ials"])
def test_an_exchange_that_a_model_does_not_choose_is_refused(name: str) -> None:
    with pytest.raises(TraitError, match="exchange is an option of ials"):
        small(name).fit(data_for(name), run=replace(RUN, engine=Local("reduce")))


def test_a_device_that_an_engine_does_not_use_is_said() -> None:
    said: list[str] = []

    class Saying:
        def say(self, text: str) -> None:
            said.append(text)

        def __getattr__(self, name: str) -> Any:
            return getattr(RUN.progress, name)

    run: Any = replace(SENT, device="cuda", progress=Saying())
    registry.create("ials", factors=4, epochs=1).fit(data_for("ials"), run=run)
    assert "ials is computed on the CPU: on an engine it can't use the device 'cuda'." in said


def test_auto_searches_without_an_engine() -> None:
    with pytest.raises(ArgumentError, match=r"auto searches in this process; leave the engine out"):
        auto(data_for("ials"), run=SENT)


def test_an_engine_is_for_the_lists_of_all_users(capsys: pytest.CaptureFixture) -> None:
    assert main(["recommend", "model", "--user", "u", "--engine", "local"]) == 2
    assert "an engine computes the lists of --all-users" in capsys.readouterr().err
    assert main(["evaluate", "model", "log.csv", "--engine", "local", "--exchange", "gather"]) == 2


def test_what_cannot_be_sent_is_refused_with_the_cure() -> None:
    class Mine:
        """A class that no other process can import."""

    with pytest.raises(EngineError, match=r"can't be sent to workers \(.*Mine.* of a module"):
        pack({"model": Mine()})
    with pytest.raises(EngineError, match=r"can't be sent to workers \(.*lambda.* of a module"):
        pack(lambda: 1)
    packed = pack(np.arange(3))
    strange = packed._replace(text=pack(small).text.replace(b"test_models_on", b"test_nodels_on"))
    with pytest.raises(EngineError, match=r"a worker can't import .*test_nodels_on"):
        unpack(strange)
