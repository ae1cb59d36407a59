"""Every bad input gets one clear sentence: the file, what is wrong, the lines, the cure."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from cofactor.base.errors import ArgumentError, DataError, DownloadError, UnknownNameError
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read, read_table


def written(folder: Path, text: str | bytes, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes, name: str = "events.csv", **how: object) -> str:
    """What DataError says of a file, without the folder."""
    path = written(folder, text, name)
    with pytest.raises(DataError) as caught:
        read(path, **how)
    message = str(caught.value)
    assert message.startswith(str(path)), message
    return message.removeprefix(str(folder) + "/")


def test_nan_infinite_missing_and_textual_ratings_are_collected_with_lines_and_total(
    tmp_path: Path,
) -> None:
    text = "user,item,rating\n1,2,3\n1,3,nan\n1,4,inf\n2,2,\n3,3,abc\n5,5,-inf\n6,6,NaN\n7,7,1\n"
    assert (
        refusal(tmp_path, text)
        == "events.csv: 6 rows have a value in column 'rating' that is missing, NaN, infinite or no"
        " number; fix them, or drop them with on_bad='skip': line 3: '1,3,nan'; line 4:"
        " '1,4,inf'; line 5: '2,2,'; line 6: '3,3,abc'; line 7: '5,5,-inf' (and 1 more)"
    )


def test_bad_rows_are_skipped_on_demand_and_counted(tmp_path: Path) -> None:
    events = read(
        written(tmp_path, "user,item,rating\n1,2,3\n1,3,nan\n2,,4\n1;2;3\n3,4,5\n"), on_bad="skip"
    )
    assert events.users.to_pylist() == [1, 3]
    assert events.values is not None
    np.testing.assert_array_equal(events.values, np.array([3, 5], np.float32))
    assert any(
        note.startswith("skipped 1 row with a value in column 'rating'") and "line 3" in note
        for note in events.notes
    )
    assert any(note.startswith("skipped 1 row with no item id") for note in events.notes)
    assert any(note.startswith("skipped 1 line without 3 fields") for note in events.notes)


def test_a_row_with_several_faults_is_counted_once(tmp_path: Path) -> None:
    text = "user,item,rating\n1,2,3\n,,4\n,5,3\n"
    events = read(written(tmp_path, text), on_bad="skip")
    skipped = [note for note in events.notes if note.startswith("skipped")]
    assert skipped == ["skipped 2 rows with no user id (the first on line 3)"]
    assert refusal(tmp_path, text).startswith("events.csv: 2 rows have no user id; fix them")


def test_lines_are_counted_through_blank_lines_and_quoted_line_breaks(tmp_path: Path) -> None:
    text = 'user,item,rating\n\n"a\nb",x,3\n\n"q""q",y,oops\n'
    assert 'line 6: \'"q""q",y,oops\'' in refusal(tmp_path, text)


def test_value_too_great_for_float32_is_infinite(tmp_path: Path) -> None:
    assert "line 3: '1,3,1e300'" in refusal(tmp_path, "user,item,rating\n1,2,3\n1,3,1e300\n")


def test_column_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, "user,item,rating\n1,2,good\n1,3,bad\n")
    assert (
        message
        == "events.csv: no value of column 'rating' is a finite number; if it is the wrong column,"
        " give another with value=, or leave values out with value=False: line 2: '1,2,good';"
        " line 3: '1,3,bad'"
    )


def test_missing_column_offers_the_nearest(tmp_path: Path) -> None:
    message = refusal(tmp_path, "usr,item,rating\n1,2,3\n")
    assert (
        "no column is named like a user's; the columns are 'usr', 'item', 'rating': perhaps"
        " user='usr'?" in message
    )


def test_column_given_by_a_wrong_name_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=re.escape("'itm'; did you mean item?")):
        read(written(tmp_path, "user,item,rating\n1,2,3\n"), item="itm")


def test_position_beyond_the_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="positions run from 0 to 2"):
        read(written(tmp_path, "user,item,rating\n1,2,3\n"), item=3)


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "the file is empty."), ("user,item\n", "the file has a header but no rows.")],
)
def test_nothing_in_it_is_said_plainly(tmp_path: Path, text: str, what: str) -> None:
    assert refusal(tmp_path, text) == f"events.csv: {what}"


def test_empty_json_lines_and_empty_gzip_are_empty(tmp_path: Path) -> None:
    assert "the file is empty" in refusal(tmp_path, "", "events.jsonl")
    assert "the file is empty" in refusal(tmp_path, gzip.compress(b""), "events.csv.gz")


@pytest.mark.parametrize(
    "text", ["user,item\n1,2\n", "user,item\n1,2\n1,3\n", "user,item\n1,2\n3,2"]
)
def test_one_user_or_one_item_is_fine(tmp_path: Path, text: str) -> None:
    events = read(written(tmp_path, text))
    assert len(Interactions.build(events)) == text.strip().count("\n")


@pytest.mark.parametrize("name", ["events.csv.gz", "events.jsonl.gz"])
def test_truncated_gzip_is_distinguished_from_bad_rows(tmp_path: Path, name: str) -> None:
    line = b'{"user": 1, "item": 2}\n' if "json" in name else b"1,2\n"
    noise = np.random.default_rng(3).integers(0, 9, (4000, 6)).astype(str)
    body = b"".join(line.replace(b"2", "".join(row).encode()) for row in noise)
    message = refusal(
        tmp_path, gzip.compress(b"user,item\n" * ("csv" in name) + body)[:-2000], name
    )
    assert (
        "the packed stream ends before its end marker, so the file is cut short; fetch or copy it"
        " again." in message
    )


def test_damaged_gzip_is_said(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"user,item\n" + b"1,2\n" * 50))
    packed[-6] ^= 0xFF  # the checksum at the end
    assert "the compressed data is damaged" in refusal(tmp_path, bytes(packed), "events.csv.gz")


def test_mixed_delimiters_are_noted(tmp_path: Path) -> None:
    message = refusal(tmp_path, "user,item,rating\n1,2,3\n1;3;4\n2,3,4\n5\t6\t7\n")
    assert message == (
        "events.csv: 2 lines don't have the 3 fields of the first, split at ',' (';' stands there:"
        " mixed delimiters); fix them, "
        r"give delimiter=, or drop them with on_bad='skip': line 3: '1;3;4'; line 5: '5\t6\t7'"
    )


def test_duplicate_header_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, "user,item,item\n1,2,3\n")
    assert "the header has the column 'item' 2 times" in message
    assert "or read with header=False" in message


def test_missing_ids_are_bad_rows(tmp_path: Path) -> None:
    message = refusal(tmp_path, "user,item,rating\n1,2,3\n,2,3\n1,,4\n")
    assert "1 row has no user id, and 1 row has no item id" in message
    assert "line 3: ',2,3'" in message


def test_mixed_seconds_and_milliseconds_are_refused(tmp_path: Path) -> None:
    message = refusal(
        tmp_path, "user,item,time\n1,2,964982703000\n1,3,964982704000\n1,4,964982704\n"
    )
    assert "1 row has a time of another unit than the milliseconds of the others" in message
    assert "line 4: '1,4,964982704'" in message


def test_future_time_is_refused_and_now_can_be_given(tmp_path: Path) -> None:
    text = "user,item,time\n1,2,1000000000\n1,3,1000172801\n"
    message = refusal(tmp_path, text, now=1_000_000_000)
    assert (
        "1 row has a time in the future (as late as 2001-09-11 01:46:41 UTC; now is 2001-09-09"
        " 01:46:40 UTC;" in message
    )
    assert "line 3: '1,3,1000172801'" in message
    # A day more is allowed for clocks and zones.
    assert len(read(tmp_path / "events.csv", now=1_000_172_801 - 86_400)) == 2


def test_times_that_no_one_can_read_are_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, "user,item,date\n1,2,2016-09-30\n1,3,2016-02-30\n1,4,soon\n")
    assert "2 rows have no time in column 'date' that can be read" in message
    assert "line 3: '1,3,2016-02-30'; line 4: '1,4,soon'" in message


def test_unknown_dataset_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown dataset 'ml-100kk'; did you mean ml-100k"):
        read("ml-100kk")


def test_missing_file_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.csv: there is no such file or folder"):
        read(str(tmp_path / "no.csv"))


def test_dataset_that_is_not_here_says_how_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COFACTOR_DATA", str(tmp_path))
    monkeypatch.setenv("COFACTOR_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        DownloadError, match="fetch it with: cofactor datasets fetch ml-25m; or set COFACTOR_DATA"
    ):
        read("ml-25m")


def test_json_line_that_is_none_is_named(tmp_path: Path) -> None:
    text = '{"user": "a", "item": "b"}\nnope\n{"user": "a", "item": "c"}\n'
    message = refusal(tmp_path, text, "events.jsonl")
    assert (
        message
        == "events.jsonl: 1 line isn't a JSON object; fix them, or drop them with on_bad='skip':"
        " line 2: 'nope'"
    )
    assert len(read(tmp_path / "events.jsonl", on_bad="skip")) == 2


def test_damaged_parquet_is_said(tmp_path: Path) -> None:
    assert "this isn't a whole Parquet file" in refusal(
        tmp_path, b"PAR1" + b"x" * 40, "events.parquet"
    )


def test_folder_of_no_known_layout_lists_its_files(tmp_path: Path) -> None:
    written(tmp_path, "user,item\n1,2\n", "a.csv")
    written(tmp_path, "user,item\n1,2\n", "b.csv")
    written(tmp_path, "colour,size\n1,2\n", "c.csv")
    with pytest.raises(
        DataError,
        match=re.escape(
            "it holds 3 files (a.csv, b.csv, c.csv) of no known layout; name one of them"
        ),
    ):
        read(tmp_path)
    assert len(read(tmp_path, member="b.csv")) == 1


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(ArgumentError, match="not int"):
        read(5)
    with pytest.raises(DataError, match="rows must be tuples"):
        read([1, 2])


def test_a_file_without_a_block(tmp_path: Path) -> None:
    said = refusal(tmp_path, "5,3,2005-09-06\nu,2,2005-09-06\n", format="blocks")
    assert "no line begins a block" in said


def test_a_folder_of_all_there_is_is_refused_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cofactor.data.readers.source_files._MOST_FILES", 3)
    for n in range(5):
        (tmp_path / f"part-{n}.csv").write_text("user,item\nu,i\n")
    with pytest.raises(DataError, match="more than 3 files; give the folder of the data"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {
                "ratings.csv": "user_id,book_id,rating\n1,1,4\n2,1,3\n",
                "books.csv": "book_id,title\n1,Heat\n",
                "tags.csv": "tag_id,tag_name\n1,war\n",
            },
            "names of goodbooks-10k.*original_publication_year",
        ),
        (
            {
                "a.inter": "user_id:token\titem_id:token\n1\ta\n2\ta\n",
                "a.item": "item_id:token\titem_id:float\na\t1\n",
            },
            "column 'item_id' 2 times",
        ),
    ],
)
def test_files_with_the_names_of_a_layout_and_another_writing_are_refused(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        Interactions.build(read(tmp_path))


def test_malformed_lines_of_a_catalogue_in_latin_1_are_named(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes("item,title\n1,Café\n2,Noël,b\n".encode("latin-1"))
    with pytest.raises(DataError, match="1 line doesn't have the 2 fields.*line 3: '2,Noël,b'"):
        read_table(path)


def test_rows_with_times_beyond_the_calendar_are_named(tmp_path: Path) -> None:
    times = pa.array([1, 2**62], pa.timestamp("s"))
    table = pa.table({"user": ["u1", None], "item": ["a", "b"], "time": times})
    feather.write_feather(table.append_column("clock", times), tmp_path / "a.feather")
    with pytest.raises(DataError, match=f"no user id.*b, {2**62}"):
        read(tmp_path / "a.feather", now=1.8e9)


@pytest.mark.parametrize("cell", ["NULL", "9" * 400, "9" * 5000])
def test_a_column_of_times_without_a_header_may_hold_anything(tmp_path: Path, cell: str) -> None:
    def said(rows: list[str]) -> str:
        try:
            return f"{len(read(written(tmp_path, chr(10).join(rows))))} rows"
        except DataError as error:
            return str(error)

    times = [1_546_646_400 + n for n in range(6)]
    second = [f"u{n},{time},i{n % 3}" for n, time in enumerate(times)]
    first = [f"{time},u{n % 4},i{n % 3}" for n, time in enumerate(times)]
    assert re.search("7 rows|no time", said([*second, f"u7,{cell},i1"]))
    assert re.search("7 rows|no time", said([*first, f"{cell},u1,i1"]))


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl"])
@pytest.mark.parametrize(
    "encoding", ["rot13", "base64", "hex", "undefined", "idna", "no such", "", "\0"]
)
def test_an_encoding_that_is_none_of_text_is_refused(
    tmp_path: Path, name: str, encoding: str
) -> None:
    path = written(tmp_path, '{"user": "Zoë", "item": "a"}\nuser,item\nZoë,a\n', name)
    with pytest.raises((ArgumentError, DataError), match=r"encoding must be one|isn't idna"):
        read(path, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("text", ["user,item\nu1,a\nu2,b\n", '{"user":"u1","item":"a"}\n' * 2])
def test_an_encoding_with_a_mark_or_without(
    tmp_path: Path, text: str, mark: str, encoding: str
) -> None:
    plain = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}
    path = written(tmp_path, (mark + text).encode(plain.get(encoding, encoding)))
    assert read(path, encoding=encoding).items[0].as_py() == "a"


@pytest.mark.parametrize("how", [{"escape": "ab"}, {"escape": ""}, {"quote": "xx"}, {"escape": 5}])
def test_signs_of_several_characters_are_refused(tmp_path: Path, how: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match="one character"):
        read(written(tmp_path, 'user,item\n"u1",a\n"u2",b\n'), **how)


def test_parts_of_a_date_may_be_endless_numbers(tmp_path: Path) -> None:
    rows = [f"u{n},i{n},2019,{n + 1}" for n in range(5)] + ["u6,i6,2019," + "9" * 5000]
    path = written(tmp_path, "user,item,year,month\n" + "\n".join(rows))
    assert len(read(path)) == 6


@pytest.mark.parametrize("levels", [600, 960, 1200, 50_000])
@pytest.mark.parametrize("form", ["%s", '{"data": %s}', '[{"user": "u1", "item": %s}]'])
def test_json_of_many_levels_is_refused(tmp_path: Path, form: str, levels: int) -> None:
    deep = form % ('{"a":' * levels + "1" + "}" * levels)
    with pytest.raises(DataError):
        read(written(tmp_path, deep, "a.json"))
    with pytest.raises(DataError):
        read(written(tmp_path, f"{deep}\n{deep}\n", "a.jsonl"))


@pytest.mark.parametrize("line", ['{"u2", [["b", 4]]}', '{ {"a": 3}}', "{b'user': 1}"])
def test_what_python_would_write_but_can_not_hash_is_a_bad_line(tmp_path: Path, line: str) -> None:
    text = '{"user": "u1", "items": ["a", "b"]}\n' + line + "\n"
    assert "1 line isn't a JSON object" in refusal(tmp_path, text, "events.jsonl")


def test_a_first_line_of_a_delimiter_alone_is_no_line_of_sizes(tmp_path: Path) -> None:
    assert "no column is named" in refusal(tmp_path, ",\n" + "1<u2,b,4\n" * 3)


@pytest.mark.parametrize("sign", [";", "|", "\t"])
def test_lines_of_a_delimiter_alone_are_no_lists(tmp_path: Path, sign: str) -> None:
    assert refusal(tmp_path, sign)
    assert refusal(tmp_path, f"{sign}\n" * 3)
    with_gap = f"u1{sign}a,b\n{sign}\nu2{sign}b,c\nu3{sign}a,c\n"
    assert len(read(written(tmp_path, with_gap), on_bad="skip").users) == 6


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("given", [True, False])
def test_lines_in_quotes_keep_their_characters(tmp_path: Path, encoding: str, given: bool) -> None:
    text = '"user,item,rating"\n"Zoë,café,4"\n"Ann,""thé, noir"",5"\n'
    how = {"encoding": encoding} if given else {}
    found = read(written(tmp_path, text.encode(encoding)), **how)
    assert [one.as_py() for one in found.users] == ["Zoë", "Ann"]
    assert [one.as_py() for one in found.items] == ["café", "thé, noir"]
