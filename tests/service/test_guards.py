"""What a version must have to be promoted without force: what the current one knows, its titles
and columns, a measurement on enough people, and no significantly worse answers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.service.errors import RequestError
from cofactor.service.versions.comparison import (
    PairedHits,
    check_knowledge,
    held_out,
    paired,
    wilson,
)
from cofactor.service.versions.promotion import promote
from cofactor.store import Event, Impression, open_store


@pytest.fixture(scope="module")
def data() -> Interactions:
    return shop(n_users=70, n_items=41, seed=3)


def without_content(data: Interactions) -> Interactions:
    return Interactions.from_rows(
        data.user_rows, data.item_rows, data.values, data.times, users=data.users, items=data.items
    )


def versions(folder: Path, data: Interactions, n_old: int | None, n_new: int | None) -> Path:
    model = registry.create("popularity").fit(data)
    for name, n in (("v1", n_old), ("v2", n_new)):
        save(model, folder / name, metrics={} if n is None else {"n_users": n, "metrics": {}})
    (folder / "current").write_text('{"version": "v1"}')
    return folder


def refused(new: Interactions, old: Interactions) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check_knowledge("v2", new, old)
    return caught.value


def test_far_fewer_events_are_refused(data: Interactions) -> None:
    # Every user and every item is still there.
    first = np.zeros(len(data), bool)
    first[data.indptr[:-1]] = True
    first[np.unique(data.item_rows, return_index=True)[1]] = True
    error = refused(data.where(first), data)
    assert error.code == "knows_less"
    assert "100% of the current version's users and 100% of its items" in str(error)
    assert f"{int(first.sum()):,} events to its {len(data):,}" in str(error)


def test_missing_titles_and_columns_are_refused(data: Interactions) -> None:
    error = refused(without_content(data), data)
    assert error.code == "lacks_content"
    assert "titles of 0% of its items, the current one of 100%" in str(error)
    titles = data.catalogue.title_column
    assert titles is not None
    from dataclasses import replace

    from cofactor.data.catalogue import Catalogue

    bare = replace(data, catalogue=Catalogue(data.catalogue.table.select([titles])))
    error = refused(bare, data)
    assert error.code == "lacks_content"
    n = len(data.catalogue.column_names) - 1
    assert f"lacks {n} of the {n} columns" in str(error)
    assert "titles of 100%" in check_knowledge("v2", data, bare)


@pytest.mark.parametrize("n_new", [3, None])
def test_a_measurement_on_too_few_people_is_refused_unless_forced(
    tmp_path: Path, data: Interactions, n_new: int | None
) -> None:
    folder = versions(tmp_path / "models", data, 943, n_new)
    with pytest.raises(RequestError, match=f"measured on {n_new or 0} people, the .* on 943") as e:
        promote(folder, "v2", None)
    assert e.value.code == "too_few_people"
    assert promote(folder, "v2", None, force=True).version == "v2"


@pytest.mark.parametrize(("only_new", "only_old", "worse"), [(4, 19, True), (19, 4, False)])
def test_what_was_compared_in_training_counts(
    tmp_path: Path, data: Interactions, only_new: int, only_old: int, worse: bool
) -> None:
    folder = versions(tmp_path / "models", data, 900, 900)
    found = {"n": 90, "new": 30 + only_new, "old": 30 + only_old}
    found |= {"only_new": only_new, "only_old": only_old}
    model = registry.create("popularity").fit(data)
    for version, fingerprint in (("v3", data.fingerprint), ("v4", "of other data")):
        against = {"data": fingerprint, **found}
        save(model, folder / version, metrics={"n_users": 900, "against": against})
    if worse:
        with pytest.raises(RequestError, match=r"held-out events of 90 users .* p = 0.0026") as e:
            promote(folder, "v3", None)
        assert e.value.code == "worse"
    else:
        assert any("0.544 (" in check for check in promote(folder, "v3", None).checks)
        promote(folder, "v1", None)
    # It was compared with another model than the one that answers.
    assert any("measured on 900 people" in one for one in promote(folder, "v4", None).checks)


def test_a_small_shop_may_promote(tmp_path: Path, data: Interactions) -> None:
    folder = versions(tmp_path / "models", data, 20, 30)
    checks = promote(folder, "v2", None).checks
    assert any("measured on 30 people, the current one on 20" in check for check in checks)


def test_the_paired_test_is_exact() -> None:
    from scipy.stats import binomtest

    for only_new, only_old in ((0, 0), (3, 9), (12, 5), (40, 41)):
        found = PairedHits(100, 50, 50, only_new, only_old)
        n = only_new + only_old
        exact = binomtest(only_new, n, 0.5).pvalue if n else 1.0
        assert found.p == pytest.approx(exact)
    new, old = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    assert paired(new, old) == PairedHits(4, 2, 2, 1, 1)


def test_intervals_are_wilsons() -> None:
    from scipy.stats import binomtest

    for hits, n in ((0, 50), (7, 60), (60, 60)):
        exact = binomtest(hits, n).proportion_ci(method="wilson")
        assert wilson(hits, n) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_what_the_service_had_shown_is_no_case(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        for user in ("u", "v", "w"):
            events = [Event(user_id=user, item_id=item, time=n) for n, item in enumerate("abc")]
            store.append(events).result()
        shown = {"version": "v1", "source": "personal"}
        store.log_impressions(
            [
                Impression(
                    request_id="1", user_id="u", items=("c",), probabilities=(1.0,), **shown
                ),
                Impression(
                    request_id="2", user_id="v", items=("b", "c"), probabilities=(1, 1), **shown
                ),
                Impression(
                    request_id="3",
                    user_id="w",
                    items=("c",),
                    probabilities=(1.0,),
                    shown=False,
                    **shown,
                ),
            ]
        ).result()
        cases = {user: (history, item) for user, history, item in held_out(store)}
    # Of u the item before; of v nothing but the first, which has no history; a shadow showed none.
    assert cases == {"u": (["a"], "b"), "w": (["a", "b"], "c")}
