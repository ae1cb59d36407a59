"""New items that join a model's data."""

from __future__ import annotations

import pytest

import cofactor
from cofactor.base.errors import DataError
from cofactor.data.interactions import Interactions
from cofactor.models.answering.new_items import with_new_items


@pytest.mark.parametrize("nothing", [None, "", "NULL", {"a": 1}])
def test_a_new_item_without_an_id_is_refused(nothing: object) -> None:
    data = Interactions.build(cofactor.read([("u1", "7"), ("u2", "9")]))
    items = [{"item_id": nothing, "title": "x"}, {"item_id": "8", "title": "y"}]
    with pytest.raises(DataError, match="without an id: 1"):
        with_new_items(data, items, id_column=None, known="error")
