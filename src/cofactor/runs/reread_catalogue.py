"""The catalogue file that a model was trained with, read again. A model keeps the rows of its own
items only; the file also has those of items without interactions.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cofactor.base.errors import CofactorError
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.readers import read
from cofactor.runs.source import Reading


class CatalogueAgain(NamedTuple):
    """What the file holds now; None if it wasn't read, with a note why."""

    table: pa.Table | None = None
    notes: tuple[str, ...] = ()


def catalogue_again(items: IdMap, reading: Reading) -> CatalogueAgain:
    """Read the catalogue's file again, if it is still there and no other one is given now.

    Parameters
    ----------
    items
        The items of the old model and of the new events.
    reading
        How the model's sources are read.
    """
    path = reading.items_file
    if path is None or reading.items is not None:
        return CatalogueAgain()
    asked = {name: reading.more[name] for name in ("encoding", "item_id") if name in reading.more}
    try:
        table = read(Events(users=items.arrow, items=items.arrow), items=path, **asked).item_table
    except (CofactorError, OSError) as error:
        why = f"can't be read ({error})" if os.path.exists(path) else "isn't there any more"
        return CatalogueAgain(
            notes=(f"the catalogue {path} {why}: what the model holds of it counts",)
        )
    assert table is not None
    if reading.core > 1 or reading.min_value is not None:
        # Items that the filters removed don't come back as new ones.
        table = table.filter(pa.array(np.asarray(items.find(table.column("item_id")) >= 0)))
    return CatalogueAgain(table)
