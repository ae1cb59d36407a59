from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.report import render, write_report
from cofactor.evaluation.significance import compare
from score_table import question

HOSTILE = "</script><img src=x onerror=alert(1)> & \"quoted\" 'name'"
SECONDS = {"plain": 0.1, HOSTILE: 2.0, "third": 30.0}


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    truth, seen = [[1, 2]] * 30, [[3]] * 30
    made = []
    for n, label in enumerate(["plain", HOSTILE, "third"]):
        asked = question(rng.normal(size=(30, 12)) + n * (np.arange(12) < 3), truth, seen)
        made.append(evaluate(*asked, "ndcg@3,auc,coverage@3", label=label, groups="warm"))
    return made


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_the_page_is_whole_and_asks_the_network_for_nothing(results, tmp_path):
    path = write_report(
        results, tmp_path / "report.html", comparisons=compare(results), seconds=SECONDS
    )
    text = path.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    for tag, attributes in Tags(text).seen:
        assert tag not in {"link", "iframe", "img"}
        assert "src" not in attributes
    assert text.rstrip().endswith("</html>")
    for figure in ("forest", "groups", "pace"):
        assert f'id="{figure}"' in text


def test_hostile_names_stay_text(results):
    text = render(results, comparisons=compare(results), seconds=SECONDS, title=HOSTILE)
    assert not [tag for tag, _ in Tags(text).seen if tag == "img"]
    assert "onerror=alert(1)>" not in text.replace("onerror=alert(1)&gt;", "")
    tips = re.findall(r"<title>(.*?)</title>", text, re.S)
    assert sum(tip.startswith("&lt;/script&gt;&lt;img") for tip in tips) >= 3


def test_the_page_has_no_script_and_is_small(results):
    text = render(results, comparisons=compare(results), seconds=SECONDS)
    assert "<script" not in text.replace("&lt;", "")
    assert len(text.encode()) < 100_000


def test_models_stand_in_order_of_the_first_metric(results):
    text = render(results[::-1], seconds=SECONDS)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>', text)
    values = {escape(r.model, quote=True): r["ndcg@3"] for r in results}
    assert rows == sorted(values, key=values.__getitem__, reverse=True)


def test_what_was_compared_stands_on_the_page(results):
    origin = {"Data": "shop.csv <&>", "Command": "cofactor compare shop.csv", "Seed": "3"}
    text = render(results, origin=origin)
    assert "<dt>Data</dt><dd>shop.csv &lt;&amp;&gt;</dd>" in text
    assert "<dt>Command</dt><dd>cofactor compare shop.csv</dd>" in text


def test_tests_against_the_best_are_one_table_with_every_metric(results):
    best = max(results, key=lambda r: r["ndcg@3"]).model
    tests = compare(results, ["ndcg@3", "auc"], baseline=best)
    text = render(results, comparisons=tests)
    (table,) = re.findall(r"<table class='pairs'>.*?</table>", text, re.S)
    assert '<th scope="col">ndcg@3</th><th scope="col">auc</th>' in table
    assert table.count('<td class="even">best</td>') == 2
    assert len(re.findall(r'<td class="(win|lose|even)" title', table)) == 4


def test_the_table_shows_each_value_and_marks_the_best(results):
    text = render(results, comparisons=compare(results))
    for result in results:
        assert f"<b>{result['ndcg@3']:.4f}</b>" in text
    assert 'class="best"' in text


def test_of_equal_models_the_one_that_was_tested_against_is_marked(results):
    again = replace(results[2], model="again")  # as good as the third, before it in the order
    tests = compare([*results, again], ["auc"], baseline="third")
    page = render([again, *results], comparisons=tests)

    def auc(model):
        row = page.split(f'<tr><th scope="row">{model}</th>')[1].partition("</tr>")[0]
        return row.split("<td")[2]

    assert auc("third").startswith(' class="best"')
    assert not auc("again").startswith(' class="best"')
    assert "≈" in auc("again")


def test_sampled_metrics_are_flagged_on_the_page(results):
    asked = question(np.random.default_rng(1).normal(size=(9, 30)), [[1]] * 9, [[3]] * 9)
    assert "sampled metrics" not in render(results)
    assert "sampled metrics: not those of the full ranking" in render(
        [evaluate(*asked, "hit@5", candidates=4)]
    )


def test_a_report_of_nothing_is_refused(results):
    with pytest.raises(ArgumentError, match="at least one result"):
        render([])
    with pytest.raises(ArgumentError, match="it lacks .*third"):
        render(results, seconds={"plain": 1.0, HOSTILE: 2.0})


def test_a_metric_that_only_some_models_have_gets_a_dash(results):
    asked = question(
        np.random.default_rng(2).normal(size=(30, 12)),
        [[1, 2]] * 30,
        [[3]] * 30,
        values=[[1, 2]] * 30,
    )
    text = render([results[0], evaluate(*asked, "rmse,ndcg@3", label="rated")])
    assert '<th scope="col">rmse</th>' in text
    assert '<td class="plain">–</td>' in text
