"""Catalogues as shops and services write them, beside interactions: every item finds its title."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather
from pyarrow import parquet as pq

from cofactor import Interactions, read
from cofactor.base.errors import DataError
from cofactor.data.readers import read_table

_IDS, _TITLES = ("a", "b", "c"), ("Heat", "Alien", "Up")
_PAIRS = [*zip(_IDS, _TITLES, strict=True)]


def _joined(items: Any, ids: tuple[Any, ...] = _IDS) -> tuple[dict[Any, Any], str]:
    """The titles of items by their ids, and the notes."""
    data = Interactions.build(read([("u", item) for item in ids], items=items))
    titles = data.catalogue.titles(range(data.n_items))
    return dict(zip(data.items.arrow.to_pylist(), titles, strict=True)), "\n".join(data.notes)


# Headers of an id and a title, in words alone: shops' exports in their own language.
@pytest.mark.parametrize(
    "header",
    [
        *("Handle,Title", "Référence,Libellé", "Code article,Désignation", "Código,Descripción"),
        *("商品コード,商品名", "商品编号,商品名称", "产品ID,产品名称", "Артикул,Наименование"),
        *("Код товара,Название", "상품코드,상품명", "제품 코드,제품명", "رقم المنتج,اسم المنتج"),
        *("Código do Produto,Nome do Produto", "Kod produktu,Nazwa", "Ürün Kodu,Ürün Adı"),
        *("Artikelnummer,Omschrijving", "Codice articolo,Descrizione", "קוד מוצר,שם מוצר"),
        *("Κωδικός προϊόντος,Περιγραφή", "उत्पाद आईडी,शीर्षक", "รหัสสินค้า,ชื่อสินค้า"),
        *("Mã sản phẩm,Tên sản phẩm", "Kód produktu,Název", "Artikelnummer,Benämning"),
        *(
            "Varenummer,Navn",
            "Tuotekoodi,Tuotenimi",
            "Cikkszám,Megnevezés",
            "Kode Barang,Nama Barang",
        ),
        *("Šifra artikla,Naziv", "Šifra izdelka,Naziv", "Preces kods,Nosaukums", "Codi,Nom"),
        *("Prekės kodas,Pavadinimas", "Tootekood,Nimetus", "Vörunúmer,Heiti"),
    ],
)
def test_headers_of_catalogues_in_many_languages(header: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    rows = "".join(f"{n},{title}\n" for n, title in _PAIRS)
    path.write_text(f"{header}\n{rows}", encoding="utf-8")
    assert _joined(path)[0] == dict(_PAIRS)


@pytest.mark.parametrize(
    ("text", "encoding", "titles"),
    [
        ("商品コード,商品名,価格\na,映画一,3\nb,映画二,2\n", "shift_jis", ("映画一", "映画二")),
        ("商品编号,商品名称,价格\na,电影一,3\nb,电影二,2\n", "gb18030", ("电影一", "电影二")),
        ("Артикул;Наименование;Цена\na;Жара;3,5\nb;Чужой;2,5\n", "cp1251", ("Жара", "Чужой")),
    ],
)
def test_catalogues_in_a_shops_older_encoding(
    text: str, encoding: str, titles: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(text.encode(encoding))
    assert _joined(path, ("a", "b"))[0] == dict(zip(("a", "b"), titles, strict=True))


def test_a_first_row_of_words_is_no_header_of_a_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("a,Heat,Film\nb,Alien,Film\n")
    with pytest.raises(DataError, match="no header"):
        read([("u", "x")], items=path)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        # Shopify's products, by their handles; a shop's own numbers beside.
        ("Handle,Title,Vendor,Variant SKU\na,Heat,V,S1\nb,Alien,V,S2\nc,Up,V,S3\n", "Handle"),
        ("ID,SKU,Title,Slug\n1,x1,Heat,a\n2,x2,Alien,b\n3,x3,Up,c\n", "Slug"),
        ("book_id,goodreads_book_id,title\n7,a,Heat\n8,b,Alien\n9,c,Up\n", "goodreads_book_id"),
        ("Permalink,Title,Price\na,Heat,1\nb,Alien,2\nc,Up,3\n", "Permalink"),
    ],
)
def test_the_column_that_the_interactions_know_holds_the_ids(
    text: str, column: str, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text(text)
    found, notes = _joined(path)
    assert found == dict(_PAIRS)
    assert f"the catalogue's ids are in its column {column}" in notes


def test_numbers_of_a_catalogue_are_not_taken_for_ids_by_chance(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("sku,title,rank\nx1,Heat,1\nx2,Alien,2\n")
    found, notes = _joined(path, (1, 2))
    assert found == {1: None, 2: None}
    assert "knows 0 of 2 items" in notes
    path.write_text("sku,title,row_id,order_no\nx1,Heat,1,2\nx2,Alien,2,1\n")
    assert _joined(path, (1, 2))[0] == {1: None, 2: None}
    path.write_text("headline,title,rank\nx1,Heat,1\nx2,Alien,2\n")
    with pytest.raises(DataError, match="no column is named like item ids"):
        _joined(path, (1, 2))


def test_titles_keep_every_digit(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,title,year\na,007,1967\nb,1.0,2001\nc,1984,1984\n")
    assert _joined(path)[0] == {"a": "007", "b": "1.0", "c": "1984"}


@pytest.mark.parametrize(
    "document",
    [
        {"hits": {"hits": [{"_id": i, "_source": {"title": t}} for i, t in _PAIRS]}},
        {"Items": [{"id": {"S": i}, "title": {"S": t}} for i, t in _PAIRS]},
    ],
    ids=["Elasticsearch", "DynamoDB"],
)
def test_catalogues_as_databases_write_them(document: Any, tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps(document))
    assert _joined(path)[0] == dict(_PAIRS)


def test_the_sheet_with_ids_is_the_catalogue(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Our catalogue"])
    book.active.append(["of 2024"])
    sheet = book.create_sheet("Items")
    for row in (("item_id", "title"), *_PAIRS):
        sheet.append(row)
    book.save(tmp_path / "items.xlsx")
    assert _joined(tmp_path / "items.xlsx")[0] == dict(_PAIRS)


def test_a_frame_whose_index_has_no_name_is_joined_by_its_contents() -> None:
    frame = pd.DataFrame({"title": _TITLES}, index=[*_IDS])
    assert _joined(frame)[0] == dict(_PAIRS)


def _x(text: str, path: Path) -> list[Any]:
    path.write_text(text)
    return read_table(path)["x"].to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("cells", "read_as"),
    [
        # Postcodes, books, telephones, numbers too long for a float.
        (("01067", "98765"), ["01067", "98765"]),
        (("9780140449136", "0140449132"), ["9780140449136", "0140449132"]),
        (("+493012345", "+493098765"), ["+493012345", "+493098765"]),
        (("12345678901234567890123", "2"), ["12345678901234567890123", "2"]),
        (("1",) * 200 + ("007",), ["1"] * 200 + ["007"]),
        (('"1,234.50"', "3", ""), [1234.5, 3.0, None]),
        (('"1,234,500"', "3"), [1234500.0, 3.0]),
        (('"1,234"', "3"), ["1,234", "3"]),
        (("0", "0.5", "-3"), [0.0, 0.5, -3.0]),
    ],
)
def test_columns_of_codes_keep_their_digits_and_those_of_numbers_are_numbers(
    cells: tuple[str, ...], read_as: list[Any], tmp_path: Path
) -> None:
    rows = "".join(f"{n},t{n},{cell}\n" for n, cell in enumerate(cells))
    assert _x(f"item_id,title,x\n{rows}", tmp_path / "items.csv") == read_as


def test_codes_in_utf_16_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "items.txt"
    path.write_text("item_id\ttitle\tx\n1\tA\t01067\n2\tB\t98765\n", encoding="utf-16")
    assert read_table(path)["x"].to_pylist() == ["01067", "98765"]


@pytest.mark.parametrize("word", ["Total", "Summe:", "合計"])
def test_a_catalogues_last_line_of_totals_is_no_item(word: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(f"item_id,title,price\n1,Heat,3\n2,Up,4\n{word},,7\n", encoding="utf-8")
    found, notes = _joined(path, (1, 2))
    assert found == {1: "Heat", 2: "Up"}
    assert "lines without an id: 1" in notes
    path.write_text(f"item_id,title\na,Heat\n{word},Recall\n", encoding="utf-8")
    assert len(read_table(path)) == 2


def test_numbers_in_a_column_of_ids_are_known(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("isbn,biblionumber,title,category_id\nx,1,Heat,1\ny,2,Up,1\nz,3,Alien,2\n")
    found, notes = _joined(path, (1, 2))
    assert found == {1: "Heat", 2: "Up"}
    assert "in its column biblionumber" in notes
    path.write_text("isbn,category_id,title\nx,1,Heat\ny,2,Up\nz,2,Alien\n")
    assert _joined(path, (1, 2))[0] == {1: None, 2: None}


@pytest.mark.parametrize(
    ("header", "column"),
    [
        *(("track_uri,track_name", "track_name"), ("tconst,primaryTitle", "primaryTitle")),
        *(("MATNR,MAKTX", "MAKTX"), ("ISBN13,Title", "Title"), ("doi,title", "title")),
    ],
)
def test_ids_and_titles_of_named_systems(header: str, column: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(f"{header}\n" + "".join(f"{n},{title}\n" for n, title in _PAIRS))
    data = Interactions.build(read([("u", item) for item in _IDS], items=path))
    assert data.catalogue.title_column == column


def test_names_of_groups_above_a_catalogues_columns(tmp_path: Path) -> None:
    rows = [("Product", "", "Price"), ("Code", "Name", "Net"), *((*pair, 3) for pair in _PAIRS)]
    path = tmp_path / "items.csv"
    path.write_text("".join(";".join(map(str, row)) + "\n" for row in rows))
    assert _joined(path)[0] == dict(_PAIRS)
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "items.xlsx")
    assert _joined(tmp_path / "items.xlsx")[0] == dict(_PAIRS)


@pytest.mark.parametrize("sign", [" ", "::", "|", "\t", ";"])
def test_codes_keep_their_digits_between_any_delimiters(sign: str, tmp_path: Path) -> None:
    path = tmp_path / "items.dat"
    rows = (("item_id", "title", "x"), ("a", "A", "01067"), ("b", "B", "98765"))
    path.write_text("".join(sign.join(row) + "\r\n" for row in rows))
    assert read_table(path)["x"].to_pylist() == ["01067", "98765"]


@pytest.mark.parametrize(
    ("header", "encoding", "note"),
    [
        ("Kod produktu;Nazwa", "cp1250", "items.csv: not UTF-8, so read as Latin-1"),
        ("Код товара;Наименование", "cp1251", "items.csv: read as cp1251"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_the_encoding_of_a_catalogue_is_noted(
    header: str, encoding: str, note: str, named: bool, tmp_path: Path
) -> None:
    """Titles may be garbled by another encoding."""
    path = tmp_path / "items.csv"
    text = f"{header}\n1;{'ą' if encoding == 'cp1250' else 'Ж'}\n2;Up\n"
    path.write_bytes(text.encode(encoding))
    item_id = header.split(";")[0] if named else None
    assert note in "\n".join(read([("u", 1), ("u", 2)], items=path, item_id=item_id).notes)


def test_the_encoding_of_a_folders_catalogue_is_noted(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes("item;title\n1;Café\n2;Up\n".encode("latin-1"))
    (tmp_path / "orders.csv").write_text("user;item\n7;1\n8;2\n")
    assert "items.csv: not UTF-8, so read as Latin-1" in "\n".join(read(tmp_path).notes)


_PRODUCTS: list[dict[str, Any]] = [
    {"id": i, "title": title, "variants": [{"id": n, "sku": f"{i}-{n}"} for n in (1, 2)]}
    for i, title in _PAIRS
]


@pytest.mark.parametrize(
    "document",
    [
        {"products": _PRODUCTS},
        _PRODUCTS,
        {"data": {"products": _PRODUCTS}},
        # Their categories have an id too.
        {"categories": [{"id": 7, "name": "films", "products": _PRODUCTS}]},
    ],
)
def test_a_product_stays_one_item_whatever_it_lists(document: Any, tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps(document))
    titles, notes = _joined(path)
    assert titles == dict(_PAIRS)
    assert "knows 3 of 3" in notes


@pytest.mark.parametrize("name", ["items.parquet", "items.feather"])
def test_objects_in_columns_are_opened_in_files_too(name: str, tmp_path: Path) -> None:
    table = pa.table({"item_id": _IDS, "info": [{"title": title, "n": 1} for title in _TITLES]})
    path = tmp_path / name
    (pq.write_table if name.endswith("parquet") else feather.write_feather)(table, path)
    assert _joined(path)[0] == dict(_PAIRS)
    assert read_table(path).column_names == read_table(table).column_names


def test_a_cure_for_a_catalogues_bad_lines_exists(tmp_path: Path) -> None:
    path, pairs = tmp_path / "items.csv", [("u", item) for item in _IDS]
    path.write_text("item_id,title\na,Heat\nb,Alien\nc,Up, up\n")
    with pytest.raises(DataError, match=r"; fix them, or drop them with on_bad='skip': line"):
        read(pairs, items=path)
    with pytest.raises(DataError, match=r"; fix them: line 4"):
        read_table(path)
    events = read(pairs, items=path, on_bad="skip")
    assert "items.csv: skipped 1 line without 2 fields" in events.notes
    assert Interactions.build(events).catalogue.titles(range(3)) == ["Heat", "Alien", None]
