"""What people see in a notebook: HTML of models, results, tables and data; bars; widgets."""

from __future__ import annotations

import sys
from dataclasses import replace
from html.parser import HTMLParser
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base import markup, notebook
from cofactor.base.errors import MissingExtraError
from cofactor.base.latex import latex_table
from cofactor.base.progress import SILENT
from cofactor.base.run import Run
from cofactor.base.svg import Axes, Series, chart, intervals
from cofactor.data.synthetic import shop
from cofactor.runs.auto import Automatic, Chosen
from cofactor.runs.compare import compare
from cofactor.runs.train import train
from cofactor.training.curve import LearningCurve

HOSTILE = "</td><img src=x onerror=alert(1)> & \"q\" 'a'"
VOID = {"br", "img", "meta", "line", "polyline", "rect"}
QUICK = Run(threads=1)


class Whole(HTMLParser):
    """Refuses tags that don't match; keeps their names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def data() -> cofactor.Interactions:
    return shop(n_users=80, n_items=40, seed=0)


@pytest.fixture(scope="module")
def split(data: cofactor.Interactions) -> cofactor.Split:
    return cofactor.split(data, "per-user", test=0.2, validation=0.1, seed=0)


@pytest.fixture(scope="module")
def model(split: cofactor.Split) -> cofactor.IALS:
    return cofactor.IALS(factors=4, epochs=3, regularization=0.04).fit(split.train, run=QUICK)


@pytest.fixture(scope="module")
def result(model: cofactor.IALS, split: cofactor.Split) -> Any:
    return cofactor.evaluate(model, split, ["ndcg@10", "coverage@10"], groups="warm", run=QUICK)


@pytest.fixture(scope="module")
def compared(split: cofactor.Split) -> Any:
    return compare(
        None, ["ease", "item_knn"], split=split, metrics=["ndcg@10", "recall@5"], run=QUICK
    )


def test_each_thing_shows_itself_as_whole_html(
    data: cofactor.Interactions, split: cofactor.Split, model: Any, result: Any, compared: Any
) -> None:
    ranked = model.recommend(data.users.ids([0])[0], k=5)
    explained = model.explain(data.users.ids([0])[0], ranked.ids[0])
    things: list[tuple[Any, str]] = [
        (data, "80"),
        (data.catalogue, "Catalogue"),
        (split, split.fingerprint[:12]),
        (split.test, "held-out"),
        (model, "not fitted" if not model.is_fitted else "fitted"),
        (cofactor.IALS(), "not fitted"),
        (model.curve, "<svg"),
        (cofactor.describe(data), "density"),
        (result, "ndcg@10"),
        (compared, "item_knn"),
        (ranked, str(ranked.ids[0])),
        (explained, "belongs to no single item"),
        (cofactor.Blend(models=("ease", "item_knn")), "ItemKNN"),
    ]
    for thing, word in things:
        text = thing._repr_html_()
        assert Whole(text).seen.count("div") >= 1
        assert word in text, type(thing).__name__


def test_ids_are_shown_as_they_are_given() -> None:
    assert markup.shown(1030, "item_id") == "1030"
    assert markup.shown(1030, "n_items") == "1,030"
    data = shop(n_users=30, n_items=20, seed=0)
    data = replace(data, items=cofactor.IdMap(np.arange(1000, 1000 + data.n_items)))
    table = cofactor.Popularity().fit(data).recommend(data.users.ids([0]), 2)
    assert f">{table.ids[0]}</td>" in table._repr_html_()


def test_a_models_line_shows_formulas_as_code_and_hides_no_markup() -> None:
    text = cofactor.EASE()._repr_html_()
    assert "<code>|X - X B|² + λ |B|²</code>" in text
    assert "`" not in text
    assert markup.code_in("``a<b`` and `c` <i>") == (
        "<code>a&lt;b</code> and <code>c</code> &lt;i&gt;"
    )


def test_a_choice_shows_its_table_its_result_and_the_baselines() -> None:
    data = shop(n_users=60, n_items=30, seed=0)
    parts = cofactor.split(data, "per-user", test=0.3, seed=0)
    model = cofactor.EASE().fit(parts.train, run=QUICK)
    chosen = Chosen("ease", None, "ndcg@10", 0.4, "ease was chosen.", ({"model": "ease"},))
    result = cofactor.evaluate(model, parts, "ndcg@10", run=QUICK)
    text = Automatic(model, chosen, result, None)._repr_html_()
    assert Whole(text).seen.count("table") == 2
    assert "ease was chosen." in text


def test_events_show_their_first_lines_and_notes() -> None:
    rows = [{"user": f"u{n}", "item": n, "rating": 3.0, "time": 86_400 * n} for n in range(9)]
    events = cofactor.read(rows)
    text = events._repr_html_()
    assert Whole(text).seen.count("tr") == 1 + 5
    assert "1970-01-02" in text
    assert "… 4 more" in text
    assert repr(events).startswith("Events(9 from ")
    assert len(repr(events)) < 200


def test_hostile_titles_stay_text() -> None:
    rows = [{"user": u, "item": i} for u in range(6) for i in range(4) if (u + i) % 3]
    titles = [{"item": i, "title": HOSTILE} for i in range(4)]
    data = cofactor.Interactions.build(cofactor.read(rows, items=titles))
    model = cofactor.EASE().fit(data)
    ranked = model.recommend(0, k=2)
    for text in (ranked._repr_html_(), model.explain(0, ranked.ids[0])._repr_html_()):
        assert "img" not in Whole(text).seen
        assert "&lt;img src=x" in text
    assert "img" not in Whole(data.catalogue._repr_html_()).seen


def test_what_searches_and_folds_found_is_shown() -> None:
    data = shop(n_users=60, n_items=30, seed=0)
    folds = cofactor.cross_validate("popularity", data, folds=2, run=QUICK)
    line = {"model": "ease", "value": 0.41, "seconds": 0.1}
    chosen = Chosen("ease", None, "ndcg@10", 0.41, "ease & its <defaults> were chosen.", (line,))
    for thing, word in ((folds, "fold 2"), (chosen, "its &lt;defaults&gt;")):
        text = thing._repr_html_()
        assert Whole(text).seen.count("table") == 1
        assert word in text
    assert ">0.10<" in chosen._repr_html_()
    assert repr(chosen) == chosen.sentence


def test_epochs_of_a_curve_are_counted_from_one() -> None:
    curve = LearningCurve(loss=[3.0, 2.0, 2.5], best_epoch=1)
    assert repr(curve) == "LearningCurve(3 epochs, best 2: loss 2.0000)"
    assert "best epoch 2" in curve._repr_html_()


def test_reprs_are_short(split: cofactor.Split, compared: Any, tmp_path: Any) -> None:
    done = train(split.train, "popularity", tmp_path / "model", run=QUICK)
    for thing in (split, split.test, compared, done, cofactor.describe(split.train)):
        lines = repr(thing).splitlines()
        assert len(lines) <= 30, type(thing).__name__
        assert max(map(len, lines)) < 320, type(thing).__name__
    assert Whole(done._repr_html_()).seen


def test_a_ranking_is_indexed_by_line_slice_and_column(model: Any) -> None:
    ranked = model.recommend(model.data.users.ids([0, 1]), k=3)
    assert ranked[0] == ranked.to_dicts()[0]
    assert ranked[-1] == ranked.to_dicts()[-1]
    assert ranked[1:3].to_dicts() == ranked.to_dicts()[1:3]
    assert ranked["score"] == ranked.scores
    with pytest.raises(IndexError):
        ranked[99]


def test_results_are_frames_of_numbers(result: Any, compared: Any) -> None:
    pytest.importorskip("pandas")
    frame = result.to_frame()
    assert list(frame.columns) == ["metric", "group", "value", "low", "high", "users"]
    overall = frame[frame.group == ""].set_index("metric")
    assert overall.value["ndcg@10"] == result["ndcg@10"]
    assert np.isnan(overall.low["coverage@10"])
    table = compared.to_frame()
    assert list(table.model) == compared.order
    numbers = table.drop(columns="model")
    assert all(kind.kind == "f" for kind in numbers.dtypes)
    assert (numbers["ndcg@10 low"] <= numbers["ndcg@10"]).all()
    assert table["ndcg@10"].tolist() == sorted(table["ndcg@10"], reverse=True)


def test_results_are_latex(result: Any, compared: Any) -> None:
    text = compared.to_latex("Models & more")
    assert text.count(r"\\") == 1 + len(compared.results)
    assert r"item\_knn" in text
    assert rf"\textbf{{{compared.best.replace('_', chr(92) + '_')}}}" in text
    assert r"\caption{Models \& more}" in text
    assert "±" not in text
    assert result.to_latex().startswith(r"\begin{tabular}{llrrrr}")
    assert latex_table([{"a": "50% {x}~^\\", "n": 1.0}]).splitlines()[4] == (
        r"50\% \{x\}\textasciitilde{}\textasciicircum{}\textbackslash{} & 1.0000 \\"
    )


def test_charts_leave_out_what_is_not_finite() -> None:
    nan = float("nan")
    text = chart(Axes("t"), [Series("a", [1, 2, 3, 4], [1.0, nan, 2.0, 3.0])])
    assert text.count("<circle") == 3
    assert text.count("<polyline") == 1
    assert "nan" not in text
    Whole(text)
    assert "<svg" in chart(Axes(), [Series("all alike", [1, 1], [5.0, 5.0])])
    assert "<svg" in chart(Axes(x_log=True), [Series("none", [], [])])
    # Alike but for rounding, as by models of equal lists.
    for value in (0.3, 0.0, 1e-17, 5e12, -2.0):
        near = value + abs(value) * 2e-16 + 1e-18
        assert "<svg" in chart(Axes(), [Series("nearly", [1, 2], [value, near])])
        assert "<svg" in intervals("m", ["a", "b"], [value, near], [(value, near)] * 2)


class FakeDisplay(ModuleType):
    """IPython.display as far as bars need it."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.shown: list[str] = []

    def HTML(self, text: str) -> str:
        return text

    def display(self, text: str, display_id: bool) -> Any:
        self.shown.append(text)
        return SimpleNamespace(update=self.shown.append)


def test_bars_show_in_a_notebook_without_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Run().progress is SILENT
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    display = FakeDisplay()
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    times = iter(np.arange(0, 100, 0.4))
    monkeypatch.setattr(notebook.time, "monotonic", lambda: next(times))
    progress = Run().progress
    assert isinstance(progress, notebook.NotebookProgress)
    with progress.task("fit <ials>", 10) as task:
        for n in range(10):
            task.advance(loss=1.0 / (n + 1))
    assert 'value="0.2000"' in display.shown[0]
    assert "fit &lt;ials&gt;: 10 of 10" in display.shown[-2]
    assert "loss 0.1000" in display.shown[-2]
    assert display.shown[-1] == ""  # it leaves again


def test_a_shell_without_html_gets_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert Run().progress is SILENT


def test_the_widget_answers_users_and_histories(model: Any) -> None:
    pytest.importorskip("ipywidgets")
    explorer = model.explore(k=5)
    first = model.recommend(explorer.user.value, k=5)
    assert [value for _, value in explorer.answers.options] == first.ids
    assert "belongs to no single item" in explorer.reasons.value
    assert explorer.neighbours.value.count("<tr>") == 1 + 8
    explorer.answers.value = first.ids[3]
    assert str(first[3]["title"]).partition("&")[0][:12] in explorer.reasons.value
    title = model.data.catalogue.titles([3])[0]
    explorer.history.value = f"{title}; {model.data.items.ids([5])[0]}"
    history = model.data.items.ids([3, 5])
    expected = model.recommend(history=history, k=5).ids
    assert [value for _, value in explorer.answers.options] == expected
    explorer.history.value = "no such thing at all"
    assert "no item has the id or the title" in explorer.message.value
    assert explorer._repr_mimebundle_()


def test_the_widget_names_its_extra(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingExtraError, match=r"explore\(\) needs .* 'cofactor\[notebook\]'"):
        model.explore()
