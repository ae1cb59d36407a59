"""Images of items, where the catalogue names any that the page may show."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from cofactor.data.arrow import is_text_type, value_type
from cofactor.data.catalogue import Catalogue

NAMES = ("image", "images", "poster", "cover", "thumbnail", "thumb", "picture", "photo", "img")
_LONGEST = 20_000  # characters of an image that is written in the catalogue
_WRITTEN = re.compile(r"data:image/(png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+")
_OWN = re.compile(r"/(?!/)[^\s\\\"'<>]*")
_FOREIGN = re.compile(r"https://([^/\s\\\"'<>@]+)/[^\s\\\"'<>]*")


class CatalogueImages:
    """The images of a catalogue's items.

    Parameters
    ----------
    catalogue
        The catalogue; an image is a column of a usual name (``image_url``, ``poster``, ...).
    hosts
        Hosts whose images may be shown. Images of this service's own host, and such as are written
        in the catalogue (``data:``), always may.
    """

    def __init__(self, catalogue: Catalogue, hosts: tuple[str, ...]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._column = next(
            filter(None, (self._texts(catalogue, n) for n in _ordered(catalogue))), None
        )

    def of(self, rows: np.ndarray) -> list[str | None] | None:
        """Return the images of some rows; None where there are none at all."""
        if self._column is None:
            return None
        found = self._column.take(pa.array(np.asarray(rows, np.int64))).to_pylist()
        return [one if self._may(one) else None for one in found]

    def _texts(self, catalogue: Catalogue, name: str) -> pa.ChunkedArray | None:
        """A column if its first images may be shown."""
        column = catalogue.table.column(name)
        column = column.cast(value_type(column.type))
        if not is_text_type(column.type):
            return None
        return column if any(self._may(one) for one in column.slice(0, 200).to_pylist()) else None

    def _may(self, image: str | None) -> bool:
        if image is None or len(image) > _LONGEST:
            return False
        foreign = _FOREIGN.fullmatch(image)
        if foreign is not None:
            return foreign[1].lower() in self._hosts
        return bool(_WRITTEN.fullmatch(image) or _OWN.fullmatch(image))


def _ordered(catalogue: Catalogue) -> list[str]:
    """The columns of usual names: ``image`` and ``image_url`` before ``images`` and so on."""
    plain = {re.sub(r"[_ -]?(url|link|path)$", "", n.casefold()): n for n in catalogue.column_names}
    return [plain[name] for name in NAMES if name in plain]
