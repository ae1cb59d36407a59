"""Output of databases, headers in many languages, names of columns that are nearly the same."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import openpyxl
import pyarrow as pa

from field.case import Case

_ALIKE = "User,user,item,rating\n1,u1,a,3\n2,u2,b,4\n"

_HEADERS = {
    "Traditional Chinese": "會員;商品;數量;日期",
    "Japanese": "顧客ID;商品コード;数量;購入日",
    "Hebrew": "משתמש;מוצר;דירוג;תאריך",
    "Greek": "Πελάτης;Προϊόν;Ποσότητα;Ημερομηνία",
    "Finnish": "Asiakas;Tuote;Arvosana;Päivä",
    "Vietnamese": "Người dùng;Sản phẩm;Đánh giá;Ngày",
    "Thai": "ผู้ใช้;สินค้า;คะแนน;วันที่",
    "Indonesian": "Pengguna;Barang;Nilai;Tanggal",
    "Persian": "کاربر;محصول;امتیاز;تاریخ",
    "Ukrainian": "Користувач;Товар;Кількість;Дата",
    "Lithuanian": "Pirkėjas;Prekė;Kiekis;Data",
    "Estonian": "Kasutaja;Toode;Hinne;Kuupäev",
    "Croatian": "Korisnik;Proizvod;Ocjena;Datum",
    "Bulgarian": "Потребител;Продукт;Оценка;Дата",
    "Slovene": "Stranka;Izdelek;Ocena;Datum",
    "Catalan": "Usuari;Producte;Valoració;Data",
}


def _zip(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, b"\0")
    return packed.getvalue()


def _sheet(*rows: tuple[Any, ...]) -> bytes:
    book, held = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(held)
    return held.getvalue()


DUMPS = (
    *(
        Case(
            name=f"a header in {language}, with a day",
            origin="a shop's export in its own language",
            files={"a.csv": f"{header}\nu1;a;4;2024-03-01 09:00:00\nu2;b;3;2024-03-02\n"},
            rows=[("u1", "a", 4.0, 1709283600), ("u2", "b", 3.0, 1709337600)],
        )
        for language, header in _HEADERS.items()
    ),
    Case(
        name="commands of Redis",
        origin="sorted sets written for redis-cli",
        files={"a.txt": "ZADD u1 4 a\nZADD u1 3 b\nZADD u2 5 a\n"},
        error="commands of Redis, not a table; write the values as columns",
    ),
    Case(
        name="sets as commands of Redis",
        origin="a dump by a script for redis-cli --pipe",
        files={"a.redis": "SADD likes:u1 a b c\nSADD likes:u2 a c\n"},
        error="commands of Redis",
    ),
    Case(
        name="two columns of the same name but for case",
        origin="two tables joined by a program that tells cases apart",
        files={"a.csv": _ALIKE},
        error=r"its columns 'User' and 'user' have the same name .* the user; say which .*user=",
    ),
    Case(
        name="two columns of the same name but for a blank",
        origin="a spreadsheet's column beside the shop's own",
        files={"a.csv": "user,Item ID,item_id,rating\nu1,1,a,3\nu2,2,b,4\n"},
        error="either may be the item",
    ),
    Case(
        name="two columns of the same name but for case, one of them chosen",
        origin="two tables joined by a program that tells cases apart",
        files={"a.csv": _ALIKE},
        options={"user": "user"},
        rows=[("u1", "a", 3.0), ("u2", "b", 4.0)],
    ),
    Case(
        name="a column of maps in place of an id",
        origin="Spark's map columns, by Arrow",
        source=lambda: pa.table(
            {
                "user": ["u1", "u2"],
                "item": pa.array([[("a", 4.0)], [("b", 3.0)]], pa.map_(pa.string(), pa.float64())),
            }
        ),
        error="as item id, not an integer or a text",
    ),
    *(
        Case(
            name=f"a delimiter of three signs, {sign}",
            origin="warehouses, so that no text holds it",
            files={"a.txt": f"user{sign}item{sign}rating\nu1{sign}a, x{sign}4\nu2{sign}b{sign}3\n"},
            rows=[("u1", "a, x", 4.0), ("u2", "b", 3.0)],
        )
        for sign in ("~|~", "#,#", "^;^", "|~|")
    ),
    Case(
        name="true and false without a header",
        origin="likes as a database writes them",
        files={"a.csv": "1,5,true\n2,6,false\n3,5,true\n"},
        rows=[(1, 5, 1.0), (2, 6, 0.0), (3, 5, 1.0)],
    ),
    Case(
        name="followers and followees",
        origin="a social graph",
        files={"a.csv": "follower,followee\n1,2\n2,3\n"},
        rows=[(1, 2), (2, 3)],
    ),
    Case(
        name="results of a search in a log store",
        origin="Splunk's exports",
        files={
            "a.jsonl": '{"preview":false,"result":{"_time":"1709283600","user":"u1","item":"a"}}\n'
            '{"preview":false,"result":{"_time":"1709283610","user":"u2","item":"b"}}\n'
        },
        rows=[("u1", "a", None, 1709283600), ("u2", "b", None, 1709283610)],
    ),
    Case(
        name="an object of MongoDB as the time, in a field named at",
        origin="mongoexport",
        files={
            "a.json": "".join(
                f'{{"user":"u{n}","item":"a","at":{{"$date":"2024-03-01T09:00:0{n}Z"}}}}\n'
                for n in range(2)
            )
        },
        rows=[("u0", "a", None, 1709283600), ("u1", "a", None, 1709283601)],
    ),
    Case(
        name="a start as the time",
        origin="reading sessions of an e-book shop",
        files={
            "a.csv": "ASIN,Customer ID,Start Timestamp\nB1,C1,2024-03-01T09:00:00Z\n"
            "B2,C2,2024-03-01T09:00:01Z\n"
        },
        rows=[("C1", "B1", None, 1709283600), ("C2", "B2", None, 1709283601)],
    ),
    *(
        Case(name=f"{what} is no table", origin="exports", files={name: content}, error=what)
        for name, content, what in (
            ("a.7z", b"7z\xbc\xaf\x27\x1c\x00\x04", "an archive of 7-Zip"),
            ("a.csv.lz4", b"\x04\x22\x4d\x18abc", "packed by lz4"),
            ("a.mat", b"MATLAB 5.0 MAT-file", "a file of MATLAB"),
            ("a.xlsb", _zip("xl/workbook.bin"), "a binary workbook of Excel"),
            ("a.ods", _zip("mimetype", "content.xml"), "a spreadsheet of OpenDocument"),
            ("a.docx", _zip("word/document.xml"), "a document of Office"),
            ("a.numbers", _zip("Index/Document.iwa"), "a spreadsheet of Numbers"),
            ("a.npz", _zip("user.npy", "item.npy"), "an archive of NumPy's arrays"),
        )
    ),
    Case(
        name="names of groups above the names of a sheet's columns",
        origin="a report of a back office",
        files={
            "a.xlsx": _sheet(
                ("Who", "What", None), ("user", "item", "rating"), ("u1", "a", 4), ("u2", "b", 3)
            )
        },
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="signs around ids are no delimiter's",
        origin="names between stars",
        files={"a.csv": "*u1*,*a*,4\n*u2*,*b*,3\n"},
        rows=[("*u1*", "*a*", 4.0), ("*u2*", "*b*", 3.0)],
    ),
    Case(
        name="a handle is no item",
        origin="posts of a social network",
        files={"a.csv": "handle,user_id,post_id\nann,1,5\nbob,2,6\n"},
        rows=[(1, 5), (2, 6)],
    ),
)
