"""Messages of the command line name its options as they are typed; empty values are refused."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from cofactor.data.ids import IdMap
from cofactor.store import Event, open_store

Run = Callable[..., "Ran"]  # noqa: F821  (a fixture's class)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--test", "nan"), "--test must be a finite number at least 0, not nan."),
        (("--validation", "2"), "--validation must be a finite number at least 0 and below 1"),
        (("--threads", "-1"), "--threads must be an integer in 0..4096, not -1."),
        (("--seed", "-1"), "--seed must be an integer in"),
        (("--core", "-1"), "--core must be an integer at least 0, not -1."),
        (("--min-value", "nan"), "--min-value must be a finite number, not nan."),
        (("--on-bad", "skp"), "unknown --on-bad 'skp'; did you mean skip?"),
        (("--split", "per-usr"), "unknown --split 'per-usr'; did you mean per-user"),
        (("--repeats", "frist"), "unknown --repeats 'frist'; it must be one of keep, last"),
        (("--device", "gpu9"), "--device must be auto, cpu, cuda, cuda:1, mps or xpu, not 'gpu9'."),
        (("--encoding", "utf9"), "--encoding must be one of text that Python knows"),
        (("--time-unit", "h"), "unknown --time-unit 'h'; it must be one of ms, ns, s, us."),
        (("--time-format", "%Q"), "--time-format must be written as for strptime"),
        (("--metrics", ","), "--metrics must name at least one metric"),
        (("--item-id", "sku"), "--item-id must go with the catalogue"),
        (("--max-memory", "2"), "--max-memory must be a number with a unit, as 500MB or 2GB"),
    ],
)
def test_a_message_names_the_option_as_it_is_typed(
    cofactor: Run, shop_files, tmp_path, words: tuple[str, ...], sentence: str
) -> None:
    how = ("train", shop_files / "events.csv", "--model", "popularity", "--out", tmp_path / "m")
    ran = cofactor(*how, *words)
    assert (ran.code, sentence in ran.sentence) == (1, True), ran.err
    assert not (tmp_path / "m").exists()


def test_messages_of_other_commands_name_their_options(cofactor: Run, trained, shop_files) -> None:
    for words, sentence in (
        (("recommend", trained, "--user", "u", "-k", "0"), "unknown user 'u'"),
        (("similar", trained, "--item", "book-01", "-k", "0"), "-k must be an integer at least 1"),
        (("serve", trained, "--port", "-1"), "--port must be an integer in 0..65535, not -1."),
        (("recommend", trained, "--all-users", "--out", "x"), "--out must end in .parquet, .csv"),
        (("shard", shop_files, "--out", "x", "--memory", "2"), "--memory must be a number with a"),
    ):
        ran = cofactor(*words)
        assert (ran.code, sentence in ran.sentence) == (1, True), ran.err


def test_what_belongs_to_an_address_is_no_option(cofactor: Run, tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with open_store(url) as store:
        store.append([Event(user_id="u", item_id="i", kind="skip")]).result()
    ran = cofactor("describe", url)
    assert ran.sentence.endswith("name those that count behind its URL, as ?kinds=purchase:1.")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("train", "SOURCE", "--model", "ease", "--out", ""), "--out"),
        (("train", "SOURCE", "--model=", "--out", "m"), "--model"),
        (("train", "SOURCE", "--runs", ""), "--runs"),
        (("train", "SOURCE", "--items", ""), "--items"),
        (("describe", ""), "SOURCE"),
        (("describe", "a.csv", ""), "SOURCE"),
        (("inspect", ""), "DIR"),
        (("recommend", "m", "--user", "u", "--where", ""), "--where"),
        (("recommend", "m", "--user", ""), "--user"),
        (("recommend", "m", "--user", "u", "--block", "a", "--block", ""), "--block"),
        (("similar", "m", "--item", ""), "--item"),
        (("events", "stats", ""), "URL"),
    ],
)
def test_an_empty_value_is_wrong_usage(cofactor: Run, words: tuple[str, ...], name: str) -> None:
    """Often a variable of the shell that isn't set: nothing may run with less than was meant."""
    ran = cofactor(*words)
    assert ran.code == 2
    assert f"{name} is empty" in " ".join(ran.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("similar", "MODEL", "--item", "BOOK-01"), "Did you mean 'book-01'?"),
        (("similar", "MODEL", "--item", "book01"), "Did you mean 'book-01'"),
        (("recommend", "MODEL", "--history", "bok-01"), "Did you mean 'book-01'"),
    ],
)
def test_an_unknown_id_offers_the_nearest(
    cofactor: Run, trained, words: tuple[str, ...], near: str
) -> None:
    ran = cofactor(*(trained if word == "MODEL" else word for word in words))
    assert (ran.code, near in ran.sentence) == (1, True), ran.err


def test_ids_near_an_unknown_one_are_found_among_many() -> None:
    many = IdMap.of(pa.array(sorted(f"sku-{n:06}" for n in range(30_000))))
    for typed in ("SKU-012345", "sku-012345 x"):
        assert "'sku-01234" in many.unknown([typed], "item").partition("Did you mean")[2]
    few = IdMap.of(pa.array(["u1", "u11", "v2"]))
    assert "Did you mean 'u1'?" in few.unknown(["U01"], "user")
    assert "Did you mean" not in few.unknown(["nobody"], "user")
    assert "Did you mean" not in IdMap.of(pa.array([1, 2, 3])).unknown([12], "user")
    assert "Did you mean" not in few.unknown(["x" * 10_000], "user")
