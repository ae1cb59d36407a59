"""A shop with covers, a title that is far too long, and a Japanese one."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import replace

import numpy as np
import pyarrow as pa

from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop

LONG = "The Extraordinarily Long and Unabbreviated Chronicle of Everything That Happened " * 3


def picture(n: int) -> str:
    """A cover of one colour, as the catalogue may hold it."""
    colour = bytes([60 + 37 * n % 160, 90 + 53 * n % 140, 110 + 71 * n % 120])
    rows = (b"\0" + colour * 20) * 28
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 20, 28, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    raw = b"\x89PNG\r\n\x1a\n"
    for kind, data in parts:
        raw += struct.pack(">I", len(data)) + kind + data
        raw += struct.pack(">I", zlib.crc32(kind + data))
    return f"data:image/png;base64,{base64.b64encode(raw).decode()}"


def illustrated() -> Interactions:
    """The book shop with covers, a title that is far too long, and a Japanese one."""
    data = shop(n_users=400, n_items=300, seed=2)
    titles = data.catalogue.table.column("title").to_pylist()
    popular = np.argsort(-data.item_counts, kind="stable")
    titles[popular[70]], titles[popular[71]] = LONG, "吾輩は猫である"
    covers = [picture(n) if n % 13 else "https://images.example/x.png" for n in range(300)]
    table = data.catalogue.table.set_column(0, "title", pa.array(titles))
    return replace(data, catalogue=Catalogue(table.append_column("cover", pa.array(covers))))
