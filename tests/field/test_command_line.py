"""Sources, options and messages as they are at a command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError, UnknownIdError
from cofactor.cli.ids import history_of, lines_of, listed_ids
from cofactor.cli.main import main
from cofactor.cli.reading import roles
from cofactor.cli.words import in_options
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.runs.source import Cutting, cut

PYTHON = re.compile(r"\b\w+=(?:['\"]|True|False|NAME)|\b\w+=(?=[ ,;.:)]|$)")


def written(folder: Path, text: str, name: str = "a.csv") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def described(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["describe", *words, "--json", "--quiet"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_options_of_reading_reach_the_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path,
        "who;what;event;at;n\nu1;a;view;1/2/2019;1,5\nu2;b;buy;3/2/2019;2\nx;b;no;4/2/2019;1\n",
    )
    told = described(capsys, path, "--columns", "user=who,item=what,time=at",
                     "--time-format", "%d/%m/%Y", "--kinds", "view=1,buy=5")  # fmt: off
    assert told["interactions"] == 2
    assert told["values"]["high"] == 5
    assert told["span"]["first_text"].startswith("2019-02-01")
    told = described(
        capsys, path, "--columns", "user=who,item=what,time=,value=n", "--decimal", ","
    )
    assert told["values"]["low"] == 1.0
    assert told["values"]["high"] == 2.0
    assert told["span"] is None


def test_skipped_rows_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "user,item\nu1,a\nNULL,b\nu2,b\n")
    rejects = tmp_path / "rejects.jsonl"
    described(capsys, path, "--on-bad", "skip", "--rejects", str(rejects))
    assert [json.loads(line)["line"] for line in rejects.read_text().splitlines()] == [3]
    # They hold what people did, also where others could read such a file until now.
    rejects.chmod(0o644)
    described(capsys, path, "--on-bad", "skip", "--rejects", str(rejects))
    assert rejects.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["user,item\nu1,a\n", '{"source": "web", "user": 1, "item": 2}\n'])
def test_rejected_rows_replace_no_file_that_holds_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = written(tmp_path, text, "a.jsonl" if text[0] == "{" else "a.csv")
    (tmp_path / "link").symlink_to(path)
    store = f"sqlite:///{tmp_path}/e.db"
    for name in (path, str(tmp_path / "link"), str(tmp_path), str(tmp_path / "no" / "r.jsonl")):
        rejects = ("--on-bad", "skip", "--rejects", name)
        assert main(["describe", path, *rejects]) == 1
        assert main(["events", "import", store, path, *rejects]) == 1
        error = capsys.readouterr().err
        words = ("holds something other than rejected rows", "can't be written")
        assert sum(map(error.count, words)) == 2
        assert Path(path).read_text() == text
    assert not (tmp_path / "e.db").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--set", "factors=2", "--set", "factors=3"), "IALS factors is given twice"),
        (("--columns", "user=user,user=item"), "--columns gives user twice"),
        (("--kinds", "view=1,view=2"), "--kinds gives view twice"),
    ],
)
def test_what_is_given_twice_is_not_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    source = written(tmp_path, "user,item,event\nu1,a,view\nu2,b,view\n")
    train = ("train", source, "--model", "ials", "--out", str(tmp_path / "m"))
    assert main([*train, *words]) == 1
    assert sentence in capsys.readouterr().err


def test_outputs_replace_no_file_that_holds_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "user,item,rank\n" + "".join(f"u{n % 9},i{n * 7 % 11},{n}\n" for n in range(60))
    source, model = written(tmp_path, text), str(tmp_path / "m")
    others = [written(tmp_path, '{"rank": 1}\n', "a.jsonl"), written(tmp_path, "PAR1", "a.parquet")]
    train = ("train", source, "--model", "popularity", "--out", model, "-q")
    assert main([*train]) == 0
    for name in (source, *others):
        assert main(["recommend", model, "--all-users", "--out", name, "-q"]) == 1
        assert "holds something other than recommendations" in capsys.readouterr().err
    compare = ("compare", source, "--models", "popularity,bias", "--report")
    for name in (source, str(tmp_path / "m" / "manifest.json")):
        assert main([*compare, name, "-q"]) == 1
        assert "holds something other than a page" in capsys.readouterr().err
    assert Path(source).read_text() == text
    # What was written before is replaced.
    for end in ("csv", "jsonl", "parquet"):
        for _ in range(2):
            lists = str(tmp_path / f"lists.{end}")
            assert main(["recommend", model, "--all-users", "--out", lists, "-q"]) == 0
    for _ in range(2):
        assert main([*compare, str(tmp_path / "r.html"), "-q"]) == 0


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.csv": "user,item\nNULL,a\n"}, "--on-bad skip"),
        ({"a.csv": "foo,bar\n1,2\n"}, "--columns user=NAME"),
        ({"a.csv": "u,i,rating\n1,2,x\n"}, "--columns"),
        ({"a.csv": "user,item,rating\n1,2,x\n"}, "--columns value="),
        ({"a.csv": "user,item,time\n1,2,5/1/2019\n"}, "--time-format %d/%m/%Y"),
        ({"a.csv": "user;item;rating\n1;2;1,234\n2;3;5\n"}, "--decimal ,"),
        ({"a.csv": "abc\n1\n"}, "--delimiter"),
        ({"a.csv": "user,item\n1,2\n1,2,3\n"}, "--on-bad skip"),
        ({"d/a.csv": "user,item\n1,2\n", "d/b.csv": "x,y\n1,2\n"}, "--member"),
        ({"a.csv": "user,item,time\n1,2,17\n1,3,99999999999\n"}, "--time-unit"),
        ({"a.csv": "user,user,item\n1,2,3\n"}, "--no-header"),
    ],
)
def test_messages_have_no_words_of_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], told: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    source = tmp_path / next(iter(files)).split("/")[0]
    assert main(["describe", str(source)]) == 1
    said = capsys.readouterr().err
    assert told in said
    assert not PYTHON.search(re.sub(r"--columns \w+=\w*|time=NAME|'[^']*'", "", said)), said


def test_an_unread_column_of_kinds_is_named_with_the_option() -> None:
    table = {"user": [1, 2], "item": [3, 4], "qty": [1, 2], "event": ["view", "buy"]}
    (note,) = cofactor.read(table).notes
    assert in_options(note).endswith(
        "not read: event (--columns time=NAME takes one); --kinds KIND=WEIGHT,... would weigh the"
        " kinds of events in event"
    )
    assert in_options("use device='cpu'") == "use --device cpu"


def test_what_a_file_holds_is_not_put_into_options() -> None:
    assert in_options("give member=, or value=False; on_bad='skip'") == (
        "give --member, or --columns value=; --on-bad skip"
    )


def test_notes_are_in_the_words_of_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "user,item,rating\n1,2,-1\n2,3,1\n")
    assert main(["describe", path, "--quiet"]) == 0
    assert "--min-value" in capsys.readouterr().out


def test_a_role_without_a_name_is_left_out() -> None:
    assert roles("time=,value=x") == {"time": False, "value": "x"}
    with pytest.raises(ArgumentError, match="user= needs"):
        roles("user=")


KNOWN = IdMap.of(["a", "b", "a,b", "c,d", "spotify:track:1", "x:5", "7"])


@pytest.mark.parametrize(
    ("options", "ids", "strange"),
    [
        (["a,b"], ["a,b"], []),
        (["b,a"], ["b", "a"], []),
        (["a,b,c,d,7"], ["a,b", "c,d", "7"], []),
        (["a", "c,d"], ["a", "c,d"], []),
        (["c,e"], [], ["c", "e"]),
        ([" 7 , a"], ["7", "a"], []),
    ],
)
def test_lists_of_ids_that_hold_commas(
    options: list[str], ids: list[str], strange: list[str]
) -> None:
    assert listed_ids(options, KNOWN) == (ids, strange)


@pytest.mark.parametrize(
    ("options", "history"),
    [
        (["spotify:track:1"], ["spotify:track:1"]),
        (["spotify:track:1:4"], {"spotify:track:1": 4.0}),
        (["x:5"], ["x:5"]),
        (["a:5,7:3"], {"a": 5.0, "7": 3.0}),
        (["a,b:2"], {"a,b": 2.0}),
        (["a", "a"], ["a", "a"]),
    ],
)
def test_histories_of_ids_that_hold_colons(options: list[str], history: object) -> None:
    assert history_of(options, KNOWN) == history


def test_histories_tell_what_is_unknown() -> None:
    with pytest.raises(UnknownIdError, match="unknown item 'zz'"):
        history_of(["a,zz"], KNOWN)
    with pytest.raises(ArgumentError, match="'b' has none"):
        history_of(["a:1", "b"], KNOWN)


def test_recommend_takes_ids_with_commas_and_colons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = ["a,b", "spotify:track:1", "c", "d", "e"]
    rows = [(f"u{n}", items[(n + k) % 5]) for n in range(12) for k in range(3)]
    model = cofactor.Popularity().fit(Interactions.build(cofactor.read(rows)))
    cofactor.save(model, tmp_path / "model")
    words = ["recommend", str(tmp_path / "model"), "--history", "spotify:track:1", "--json", "-q"]
    assert main(words) == 0
    found = [one["item_id"] for one in json.loads(capsys.readouterr().out)["recommendations"]]
    assert sorted(found) == ["a,b", "c", "d", "e"]
    assert main([*words, "--block", "a,b", "--block", "c"]) == 0
    found = [one["item_id"] for one in json.loads(capsys.readouterr().out)["recommendations"]]
    assert sorted(found) == ["d", "e"]
    assert main([*words[:-2], "--block", "zz"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "--block: 1 of 1 ids block nothing: unknown item 'zz'" in said


def test_several_sources_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [written(tmp_path, f"user,item\nu{n},a\n", f"{n}.csv") for n in range(3)]
    assert described(capsys, *paths)["users"] == 3
    assert described(capsys, str(tmp_path / "*.csv"))["users"] == 3
    assert described(capsys, str(tmp_path))["users"] == 3
    assert main(["describe", paths[0], str(tmp_path / "none.csv")]) == 1
    assert "none.csv: there is no such file" in capsys.readouterr().err


def test_several_files_here_are_named_by_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        written(tmp_path, "user,item\n1,2\n", name)
    assert cofactor.read(["a.csv", "b.csv"]).source == "a.csv and 1 more"


@pytest.mark.parametrize(
    ("content", "right"),
    [
        ("a1\r\nb 2\n\n".encode("utf-16"), ["a1", "b 2"]),
        ("\ufeffa1\rb\u2028c\n".encode(), ["a1", "b\u2028c"]),
        ("é\n".encode("latin-1"), "isn't UTF-8"),
        (None, "can't be read: No such file"),
    ],
)
def test_files_of_users_are_read_or_refused_in_a_sentence(
    content: bytes | None, right: list[str] | str, tmp_path: Path
) -> None:
    place = tmp_path / "users.txt"
    if content is not None:
        place.write_bytes(content)
    if isinstance(right, list):
        assert lines_of(str(place)) == right
        return
    with pytest.raises(ArgumentError, match=right):
        lines_of(str(place))


@pytest.mark.parametrize(
    ("place", "said"), [("/dev/zero", "it is a device"), (".", "can't be read: Is a directory")]
)
def test_users_are_read_from_files_and_pipes_alone(place: str, said: str) -> None:
    with pytest.raises(CofactorError, match=said):
        lines_of(place)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["similar", "x", "-k", "2", "-k", "3", "--item", "a"], "-k is given twice"),
        (["recommend", "x", "--where", "a > 1", "--where=b > 1"], "--where is given twice"),
        (["events", "stat"], "the actions are stats,"),
        (["experiment", "begin"], "the actions are start,"),
    ],
)
def test_wrong_uses_say_what_is_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_options_that_take_several_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    main(["recommend", "x", "--user", "a", "--user", "b", "--block", "c", "--block", "d"])
    assert "twice" not in capsys.readouterr().err


def test_help_is_asked_for_in_many_words(capsys: pytest.CaptureFixture[str]) -> None:
    helps = []
    for words in (["train", "--help"], ["help", "train"], ["train", "-h"]):
        assert main(words) == 0
        helps.append(capsys.readouterr().out)
    assert helps[0] == helps[1] == helps[2]
    assert main(["-V"]) == main(["version"]) == 0
    assert capsys.readouterr().out == 2 * f"cofactor {cofactor.__version__}\n"


@pytest.mark.parametrize(("share", "held_out"), [(0.2, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("how", ["leave-last", "leave_last"])
def test_the_last_interactions_are_held_out_by_their_number(
    how: str, share: float, held_out: int
) -> None:
    data = Interactions.build(cofactor.read([(u, i) for u in range(5) for i in range(6)]))
    parts = cut(data, Cutting(how=how, test=share, validation=share))
    assert parts.validation is not None
    assert len(parts.test.truth) == len(parts.validation.truth) == 5 * held_out
