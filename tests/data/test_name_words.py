"""Columns known by the words of their names; exports in further conventions, read as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cofactor
from cofactor.base.errors import DataError
from cofactor.data.readers.name_words import is_amount, role_of, with_id

SOLD = [("kunde1", "A-1", 2), ("kunde2", "A-2", 1), ("kunde1", "A-2", 1)]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Customer User ID", "user"),
        ("Identifiant client", "user"),
        ("patron_barcode", "user"),
        ("user_pseudo_id", "user"),
        ("Email (Billing)", "user"),
        ("Référence produit", "item"),
        ("bib_record", "item"),
        ("productKey", "item"),
        ("Quantity (- Refund)", "value"),
        ("Date de commande", "time"),
        ("checkout_date", "time"),
        ("Kundennr.", "user"),
        ("Kunden_Nr", "user"),
        ("Artikelnummer", "item"),
        ("Bestelldatum", "time"),
        ("Bestellnummer", None),
        ("Rechnungsnr.", None),
        ("Order #", None),
        ("N° commande", None),
        ("due_date", None),
        ("return date", None),
        ("birth_date", None),
        ("customer_product_id", None),
        ("First Name (Billing)", None),
        ("customer city", None),
        ("product price", None),
        ("record", None),
        ("Benutzername", "user"),
        ("Nombre de usuario", "user"),
        ("Üye No", "user"),
        ("Код клиента", "user"),
        ("会员号", "user"),
        ("利用者番号", "user"),
        ("사용자 아이디", "user"),
        ("اسم المستخدم", "user"),
        ("ग्राहक आईडी", "user"),
        ("Código de producto", "item"),
        ("Film Adı", "item"),
        ("Наименование товара", "item"),
        ("电影编号", "item"),
        ("書名", "item"),
        ("영화 아이디", "item"),
        ("फ़िल्म", "item"),
        ("购买数量", "value"),
        ("구매수량", "value"),
        ("Gesehen am", "time"),
        ("İşlem Tarihi", "time"),
        ("Дата выдачи", "time"),
        ("購入日時", "time"),
        ("주문일자", "time"),
        ("تاريخ الطلب", "time"),
        ("Txn Date", "time"),
        ("订单编号", None),
        ("주문번호", None),
        ("商品价格", None),
        ("用户年龄", None),
        ("会員登録日", None),
        ("視聴時間", None),
        ("生日", None),
        ("図書館", None),
        ("Geburtsdatum", None),
        ("Registrierungsdatum", None),
        ("Kod pocztowy", None),
        ("hh", None),
    ],
)
def test_a_name_says_a_role_only_if_all_its_words_do(name: str, role: str | None) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("name", "right"),
    [("watch_seconds", True), ("Note sur 10", True), ("unix_seconds", False), ("seconds", False)],
)
def test_spans_are_amounts_and_moments_are_not(name: str, right: bool) -> None:
    assert is_amount(name) == right


def write(folder: Path, name: str, header: str, rows: list[str], **how: str) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", **{"encoding": "utf-8", **how})  # type: ignore[arg-type]
    return path


def read_back(path: Path, **options: object) -> list[tuple[object, object, float | None]]:
    events = cofactor.read(path, **options)  # type: ignore[arg-type]
    values = [None] * len(events) if events.values is None else events.values.tolist()
    return list(zip(events.users.to_pylist(), events.items.to_pylist(), values, strict=True))


def test_the_line_number_of_an_order_is_no_item(tmp_path: Path) -> None:
    header = "Order Number,Order Date,Customer User ID,Item #,Product ID,Quantity (- Refund)"
    rows = [f"{7 + n},2026-01-0{n + 1},{u},1,{i},{q}" for n, (u, i, q) in enumerate(SOLD)]
    events = cofactor.read(write(tmp_path, "woocommerce.csv", header, rows))
    assert events.items.to_pylist() == ["A-1", "A-2", "A-2"]
    assert events.users.to_pylist() == ["kunde1", "kunde2", "kunde1"]
    assert events.times is not None


def test_a_french_shops_days_come_first(tmp_path: Path) -> None:
    header = "N° commande;Date de commande;Identifiant client;Référence produit;Quantité"
    rows = [f"{n};{13 + n}/02/2026 10:00;{u};{i};{q},0" for n, (u, i, q) in enumerate(SOLD)]
    assert read_back(write(tmp_path, "commandes.csv", header, rows)) == SOLD
    assert cofactor.read(tmp_path / "commandes.csv").times[0] == 1770976800


def test_windows_latin_has_a_euro_sign(tmp_path: Path) -> None:
    header = "Kundennummer;Artikelnummer;Menge;Einzelpreis (€)"
    rows = [f"{u};{i} – groß;{q};9,90" for u, i, q in SOLD]
    path = write(tmp_path, "bestellungen.csv", header, rows, encoding="cp1252")
    events = cofactor.read(path)
    assert events.items.to_pylist()[0] == "A-1 – groß"
    assert any("not read: Einzelpreis (€)" in note for note in events.notes)


def test_bytes_that_windows_has_no_character_for_are_read_as_latin_1(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_bytes(b"user,item\na,caf\xe9\nb,\x81\n")
    assert cofactor.read(tmp_path / "odd.csv").items.to_pylist() == ["café", "\x81"]


def test_a_librarys_loans_are_dated_by_the_checkout(tmp_path: Path) -> None:
    header = "loan_id\tpatron_barcode\tbib_record\tauthor\tcheckout_date\tdue_date"
    rows = [f"{n}\t{u}\t{i}\tA\t2026-01-0{n + 1}\t2026-02-01" for n, (u, i, _) in enumerate(SOLD)]
    events = cofactor.read(write(tmp_path, "loans.tsv", header, rows))
    assert events.times is not None
    assert len(set(events.times)) == 3
    assert events.users.to_pylist() == ["kunde1", "kunde2", "kunde1"]


def test_a_listening_history_is_read_by_its_track(tmp_path: Path) -> None:
    played = [
        {
            "ts": f"2026-01-0{n + 1}T10:00:00Z",
            "username": u,
            "ms_played": 9,
            "reason_end": "done",
            "spotify_track_uri": f"spotify:track:{i}",
            "spotify_episode_uri": None,
        }
        for n, (u, i, _) in enumerate(SOLD)
    ]
    (tmp_path / "history.json").write_text(json.dumps(played))
    assert [row[1] for row in read_back(tmp_path / "history.json")] == [
        f"spotify:track:{i}" for _, i, _ in SOLD
    ]


def viewed(n: int, user: str, items: list[str]) -> dict[str, object]:
    """An event as Google's analytics exports it."""
    return {
        "event_timestamp": str(1_767_225_600_000_000 + n),
        "event_date": "20260101",
        "event_name": "view_item" if items else "session_start",
        "user_id": None,
        "user_pseudo_id": user,
        "event_params": [{"key": "page", "value": {"int_value": "1"}}],
        "items": [{"item_id": item, "item_name": "x", "price": 1.5} for item in items],
    }


def test_events_that_hold_several_items_are_a_row_for_each(tmp_path: Path) -> None:
    lines = [viewed(0, "a", ["A-1", "A-2"]), viewed(1, "b", []), viewed(2, "b", ["A-1"])]
    path = tmp_path / "events.json"
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = read_back(path, kinds={"view_item": 2.0})
    assert rows == [("a", "A-1", 2.0), ("a", "A-2", 2.0), ("b", "A-1", 2.0)]
    path.write_text("\n".join(map(json.dumps, [*lines, viewed(3, "c", [""])])))
    with pytest.raises(DataError, match="line 4"):
        cofactor.read(path)


def test_orders_of_an_interface_with_their_lines(tmp_path: Path) -> None:
    orders = [
        {"id": 1, "email": "a@x.example", "line_items": [{"sku": "S1"}, {"sku": "S2"}]},
        {"id": 2, "email": "b@x.example", "line_items": [{"sku": "S1"}]},
    ]
    (tmp_path / "orders.json").write_text(json.dumps({"orders": orders}))
    assert [row[:2] for row in read_back(tmp_path / "orders.json")] == [
        ("a@x.example", "S1"),
        ("a@x.example", "S2"),
        ("b@x.example", "S1"),
    ]


def test_the_cure_names_the_column_that_is_likely_meant(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", "author,library patron name,title,bib", ["A,B,C,D"])
    with pytest.raises(DataError, match="perhaps user='library patron name'"):
        cofactor.read(path)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "Sales Record Number,Buyer Username,Custom Label,Quantity,Sale Date",
            "{n},{u},{i},{q},{t}",
        ),
        ("t_dat,customer_id,article_id,price,sales_channel_id", "{t},{u},{i},0.05,2"),
        ("Auftraggeber;Material;Auftragsmenge;ME;Belegdatum", "{u};{i};{q};ST;{t}"),
    ],
)
def test_an_auctions_a_chains_and_an_erps_columns_are_known(
    tmp_path: Path, header: str, row: str
) -> None:
    rows = [
        row.format(n=n, u=u, i=i, q=q, t=f"2026-01-0{n + 1}") for n, (u, i, q) in enumerate(SOLD)
    ]
    events = cofactor.read(write(tmp_path, "sold.csv", header, rows))
    assert events.users.to_pylist() == ["kunde1", "kunde2", "kunde1"]
    assert events.items.to_pylist() == ["A-1", "A-2", "A-2"]
    assert events.times is not None
    assert events.times[0] == 1767225600


@pytest.mark.parametrize("as_lines", [True, False])
def test_products_within_an_objects_object_give_a_row_each(tmp_path: Path, as_lines: bool) -> None:
    def bought(user: str, *products: str) -> dict[str, object]:
        held = {"order_id": "x", "products": [{"product_id": one} for one in products]}
        return {"userId": user, "timestamp": "2026-01-02T00:00:00Z", "properties": held}

    rows = [bought("u1", "a", "b"), bought("u2", "a"), {"userId": "u3", "properties": {}}]
    text = "\n".join(map(json.dumps, rows)) if as_lines else json.dumps(rows)
    (tmp_path / "track.json").write_text(text)
    events = cofactor.read(tmp_path / "track.json")
    assert events.users.to_pylist() == ["u1", "u1", "u2"]
    assert events.items.to_pylist() == ["a", "b", "a"]
    assert events.times is not None


def test_all_reasons_are_named_where_no_row_is_left(tmp_path: Path) -> None:
    path = write(tmp_path, "sold.csv", "user,item,date", ["a,x,soon", "b,,soon"])
    with pytest.raises(DataError, match="1 row has no item id, 2 rows have no time in"):
        cofactor.read(path, on_bad="skip")


def nested(kind: str, folder: Path) -> Path:
    events = [
        {"ts": 1_600_000_000 + n, "sessionId": f"s{n}", "product": {"id": f"p{n % 3}", "price": 3}}
        for n in range(6)
    ]
    events[0]["visitor"] = {"device": {"id": "d"}, "country": None}
    path = folder / f"events.{kind}"
    lines = [json.dumps(event) for event in events]
    path.write_text("\n".join(lines) if kind == "jsonl" else f"[{','.join(lines)}]")
    return path


@pytest.mark.parametrize("kind", ["jsonl", "json"])
def test_an_id_within_an_object_is_found_by_its_path(kind: str, tmp_path: Path) -> None:
    events = cofactor.read(nested(kind, tmp_path))
    assert events.users.to_pylist() == [f"s{n}" for n in range(6)]
    assert events.items.to_pylist() == ["p0", "p1", "p2"] * 2
    named = cofactor.read(nested(kind, tmp_path), user="sessionId", value="product.price")
    assert named.values is not None
    assert named.values.tolist() == [3.0] * 6


def test_a_field_of_its_own_comes_before_one_within_an_object(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"user": "u", "item": "i", "context": {"itemid": "other", "user_id": "x"}}\n')
    events = cofactor.read(path)
    assert (events.users.to_pylist(), events.items.to_pylist()) == (["u"], ["i"])


def test_a_catalogue_is_known_by_the_words_of_its_names(tmp_path: Path) -> None:
    path = tmp_path / "Artikel.csv"
    path.write_text("Artikelnr.;Bezeichnung;Preis\nA-1;Schlauch;1.003,50\nA-0;Topf;\nA-2;Topf;4\n")
    sold = tmp_path / "sold.csv"
    sold.write_text("Kundennr.;Artikelnr.\n007;A-1\n8;A-2\n")
    events = cofactor.read(sold, items=path)
    assert events.users.to_pylist() == ["007", "8"]
    assert events.item_table["item_id"].to_pylist() == ["A-1", "A-0", "A-2"]
    assert events.item_table["Preis"].to_pylist() == [1003.5, None, 4.0]


def test_a_title_gives_way_to_the_column_that_holds_its_id(tmp_path: Path) -> None:
    rows = ["7,S-1,Shirt,1", "8,S-2,Hat,2"]
    path = write(tmp_path, "ga.csv", "Client ID,Product SKU,Product,Track No", rows)
    assert cofactor.read(path).items.to_pylist() == ["S-1", "S-2"]
    assert with_id("Track", ["Track No"]) is None
