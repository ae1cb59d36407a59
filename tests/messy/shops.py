"""Ten exports of one synthetic shop as real systems write them, with their catalogues.

Five conventions of shops (hosted shop, plug-in shop, till, marketplace, German ERP) and five of
analysts (click log, workbook, ratings, warehouse, a spreadsheet's text). What they say is the same;
how, is what makes first files hard: addresses over several lines, cancelled lines, decimal commas,
ids with leading zeros, days first, times with zones, encodings, parts, preambles."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CUSTOMERS, PRODUCTS, KINDS = 90, 60, ("Garden", "Kitchen", "Café & Bar")
_BEGIN = datetime(2026, 1, 2, 8, 15, 30, tzinfo=UTC)
_THINGS = ("Hose, 20 m", "Pan 24 cm", 'Tray "Nonna"', "Spade", "Kettle", "Cups (6)")


class Line(NamedTuple):
    """One line of an order."""

    customer: int
    product: int
    quantity: int
    at: datetime


def lines(seed: int = 0) -> list[Line]:
    """Orders of customers who prefer one of three kinds of products, by time."""
    draw = np.random.default_rng(seed)
    made = []
    for customer in range(CUSTOMERS):
        own = np.arange(PRODUCTS)[np.arange(PRODUCTS) % 3 == customer % 3]
        liked = draw.choice(own, 9, replace=False)
        bought = [*liked, *draw.choice(PRODUCTS, 3, replace=False)]
        for product in bought:
            at = _BEGIN + timedelta(minutes=int(draw.integers(0, 200 * 24 * 60)))
            made.append(Line(customer, int(product), int(draw.integers(1, 4)), at))
    return sorted(made, key=lambda line: line.at)


def title(product: int) -> str:
    """The product's name."""
    return f"{_THINGS[product % 6]} No. {product}"


def kind(product: int) -> str:
    """The product's category."""
    return KINDS[product % 3]


def price(product: int) -> float:
    """The product's price."""
    return 4.5 + product * 7.25


def _csv(rows: list[list[object]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def hosted_shop(folder: Path) -> None:
    """A hosted shop's orders: many columns, addresses over lines, times with an offset."""
    head = "Name,Email,Financial Status,Paid at,Currency,Subtotal,Lineitem quantity,Lineitem name"
    head += ",Lineitem price,Lineitem sku,Billing Street,Notes,Created at"
    rows: list[list[object]] = [head.split(",")]
    for n, one in enumerate(lines()):
        at = one.at.strftime("%Y-%m-%d %H:%M:%S +0100")
        cost, sku = f"{price(one.product):.2f}", f"SKU-{one.product:03}"
        who: list[object] = [f"#{1001 + n}", f"c{one.customer}@shop.example", "paid", at, "EUR"]
        what = [cost, one.quantity, title(one.product), cost, sku]
        rows.append([*who, *what, "1 High St\nFlat 2", "", at])
    (folder / "orders_export.csv").write_text(_csv(rows), encoding="utf-8", newline="")
    head = "Handle,Title,Body (HTML),Vendor,Type,Tags,Variant SKU,Variant Price"
    rows = [head.split(",")]
    for p in range(PRODUCTS):
        body = f"<p>{title(p)}<br>for the {kind(p)}</p>"
        rows.append(
            [
                f"thing-{p}",
                title(p),
                body,
                "Shop",
                kind(p),
                f"{kind(p)}, new",
                f"SKU-{p:03}",
                price(p),
            ]
        )
    (folder / "products_export.csv").write_text(_csv(rows), encoding="utf-8", newline="")


def plug_in_shop(folder: Path) -> None:
    """A plug-in shop's orders: semicolons, a byte-order mark, dotted dates, decimal commas."""
    rows: list[list[object]] = [
        ["Order ID", "Order Date", "Customer ID", "SKU", "Item Name", "Quantity", "Item Cost"]
    ]
    for n, one in enumerate(lines()):
        cost = f"{price(one.product):.2f}".replace(".", ",")
        at = one.at.strftime("%d.%m.%Y %H:%M")
        rows.append([500 + n // 2, at, one.customer + 1, f"W{one.product}", title(one.product)])
        rows[-1] += [one.quantity, cost]
    (folder / "orders.csv").write_text(_csv(rows, ";"), encoding="utf-8-sig", newline="")
    rows = [["ID", "SKU", "Name", "Categories", "Regular price"]]
    for p in range(PRODUCTS):
        rows.append([9000 + p, f"W{p}", title(p), kind(p), f"{price(p):.2f}".replace(".", ",")])
    (folder / "products.csv").write_text(_csv(rows, ";"), encoding="utf-8-sig", newline="")


def till(folder: Path) -> None:
    """A till's invoices: month first without zeros, ids as 17850.0, lines without a customer,
    cancelled lines.
    """
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    rows: list[list[object]] = [head.split(",")]
    for n, one in enumerate(lines()):
        at = f"{one.at.month}/{one.at.day}/{one.at.year} {one.at.hour}:{one.at:%M}"
        cancelled = n % 97 == 96
        quantity = -one.quantity if cancelled else one.quantity
        buyer = "" if n % 41 == 40 else f"{17850 + one.customer}.0"
        what = [f"{85000 + one.product}A", title(one.product), quantity]
        cost = f"{price(one.product):.2f}"
        rows.append(
            [f"{'C' if cancelled else ''}{536365 + n}", *what, at, cost, buyer, "United Kingdom"]
        )
    (folder / "Online Retail.csv").write_text(_csv(rows), encoding="cp1252", newline="")
    rows = [["StockCode", "Description", "Category"]]
    rows += [[f"{85000 + p}A", title(p), kind(p)] for p in range(PRODUCTS)]
    (folder / "stock.csv").write_text(_csv(rows), encoding="cp1252", newline="")


def marketplace(folder: Path) -> None:
    """A marketplace's report: tabs, hyphens in the names, ISO times with offsets, two files."""
    head = "order-id order-item-id purchase-date buyer-email sku product-name quantity-purchased"
    rows: list[list[object]] = []
    for n, one in enumerate(lines()):
        at = one.at.isoformat().replace("+00:00", "-07:00")
        rows.append([f"112-{n:07}", n, at, f"b{one.customer}@market.example"])
        rows[-1] += [f"MK {one.product:02}", title(one.product), one.quantity]
    (folder / "reports").mkdir()
    for n, part in enumerate((rows[:600], rows[600:])):
        text = _csv([list[object](head.split()), *part], "\t")
        (folder / "reports" / f"report-{n + 1}.txt").write_text(text, "utf-8", newline="")
    rows = [["item-name", "item-description", "listing-id", "seller-sku", "price"]]
    for p in range(PRODUCTS):
        rows.append([title(p), f"for the {kind(p)}", f"L{p}", f"MK {p:02}", price(p)])
    (folder / "listings.txt").write_text(_csv(rows, "\t"), "utf-8", newline="")


def german_erp(folder: Path) -> None:
    """An ERP's list: a preamble, bars, dates as numbers, ids with leading zeros, blanks around."""
    made = ["Verkaufsliste 2026;Werk 0001", "", "KUNDENNUMMER|ARTIKELNUMMER|MENGE|DATUM|BETRAG"]
    for one in lines():
        amount = f"{price(one.product) * 100:,.2f}".translate(str.maketrans(",.", ".,"))
        made.append(
            f"{one.customer:010} |{one.product:08} |{one.quantity:>4},000 |{one.at:%Y%m%d}|{amount}"
        )
    (folder / "verkauf.txt").write_text("\r\n".join(made) + "\r\n", encoding="cp1252", newline="")
    made = ["ARTIKELNUMMER|BEZEICHNUNG|WARENGRUPPE"]
    made += [f"{p:08} |{title(p)} für {kind(p)}|{kind(p)}" for p in range(PRODUCTS)]
    (folder / "artikel.txt").write_text("\r\n".join(made) + "\r\n", encoding="cp1252", newline="")


def click_log(folder: Path) -> None:
    """A click log: JSON lines, gzipped, kinds of events, milliseconds."""
    made = []
    for n, one in enumerate(lines()):
        at = int(one.at.timestamp() * 1000)
        for back, event in ((60_000, "view"), (20_000, "addtocart"), (0, "purchase"))[n % 3 :]:
            made.append(
                {"visitorid": one.customer, "event": event, "itemid": 300 + one.product}
                | {"timestamp": at - back, "referrer": None, "page": {"path": "/x", "ab": [1, 2]}}
            )
    raw = "".join(json.dumps(one) + "\n" for one in made).encode()
    (folder / "events.jsonl.gz").write_bytes(gzip.compress(raw))
    described = [
        {"itemid": 300 + p, "title": title(p), "tags": [kind(p), "new"]} for p in range(PRODUCTS)
    ]
    (folder / "items.json").write_text(json.dumps(described), encoding="utf-8")


def spreadsheet(folder: Path) -> None:
    """A workbook: a title above the table, dates as dates, an empty column, a total below."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sales"
    sheet.append(["Sales by customer", None, None, None, None])
    sheet.append([])
    sheet.append(["Customer", "Product SKU", "Order Date", "Qty", None])
    for one in lines():
        sheet.append([f"Customer {one.customer}", f"X-{one.product}", one.at.replace(tzinfo=None)])
        sheet.cell(sheet.max_row, 4, one.quantity)
    book.create_sheet("Notes").append(["made by hand"])
    book.save(folder / "sales.xlsx")
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Product SKU", "Product Name", "Category"])
    for p in range(PRODUCTS):
        sheet.append([f"X-{p}", title(p), kind(p)])
    book.save(folder / "products.xlsx")


def ratings(folder: Path) -> None:
    """Reviews: stars as text, English months with AM and PM, quotes and line ends in the text."""
    rows: list[list[object]] = [["reviewer", "product_id", "stars", "review", "review_date"]]
    for n, one in enumerate(lines()):
        stars = 5 - (n % 3 == 2) - (one.product % 3 != one.customer % 3) * 2
        at = one.at.strftime("%B %d, %Y %I:%M %p")
        words = 'It\'s "fine",\nsays my aunt; 10/10' if n % 5 == 0 else "ok"
        rows.append([f"user_{one.customer}", f"P{one.product}", f"{stars} stars", words, at])
    (folder / "reviews.csv").write_text(_csv(rows), encoding="utf-8", newline="")
    rows = [["product_id", "product_title", "description", "price"]]
    for p in range(PRODUCTS):
        rows.append([f"P{p}", title(p), f"<b>{kind(p)}</b>", f"${price(p):,.2f}"])
    (folder / "products.csv").write_text(_csv(rows), encoding="utf-8", newline="")


def warehouse(folder: Path) -> None:
    """A warehouse's parts: Parquet with nullable ids, decimals, times with a zone, a flag file."""
    every = lines()
    (folder / "purchases").mkdir()
    (folder / "purchases" / "_SUCCESS").touch()
    for n in range(3):
        part = every[n::3]
        table = pa.table(
            {
                "customer_id": pa.array([one.customer for one in part], pa.int64()),
                "product_id": pa.array([f"{one.product}" for one in part]).dictionary_encode(),
                "quantity": pa.array([one.quantity for one in part], pa.int16()),
                "amount": pa.array([f"{price(one.product):.2f}" for one in part]).cast(
                    pa.decimal128(12, 2)
                ),
                "created_at": pa.array([one.at for one in part], pa.timestamp("us", "UTC")),
                "_batch": pa.array([n] * len(part), pa.int32()),
            }
        )
        pq.write_table(table, folder / "purchases" / f"part-{n:05}-c000.snappy.parquet")
    described = pa.table(
        {
            "product_id": [str(p) for p in range(PRODUCTS)],
            "title": [title(p) for p in range(PRODUCTS)],
            "categories": [[kind(p), "all"] for p in range(PRODUCTS)],
        }
    )
    pq.write_table(described, folder / "products.parquet")


def unicode_text(folder: Path) -> None:
    """A spreadsheet's "Unicode text": UTF-16 with tabs, days first, Cyrillic and Greek titles."""
    made = ["Client\tArticle\tQuantité\tDate"]
    made += [
        f"Zoë {one.customer}\tΑ{one.product}\t{one.quantity}\t{one.at:%d/%m/%Y}" for one in lines()
    ]
    (folder / "ventes.txt").write_bytes(("\r\n".join(made) + "\r\n").encode("utf-16"))
    made = ["Article\tTitle\tCategory"]
    made += [f"Α{p}\tВещь {p}\t{kind(p)}" for p in range(PRODUCTS)]
    (folder / "articles.txt").write_bytes(("\r\n".join(made) + "\r\n").encode("utf-16"))


SHOPS: tuple[Callable[[Path], None], ...] = (
    hosted_shop,
    plug_in_shop,
    till,
    marketplace,
    german_erp,
    click_log,
    spreadsheet,
    ratings,
    warehouse,
    unicode_text,
)
