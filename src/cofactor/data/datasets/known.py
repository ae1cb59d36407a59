"""The datasets that have names."""

from __future__ import annotations

from collections.abc import Mapping

from cofactor.data.datasets.registry import Dataset
from cofactor.data.readers import book_crossing, lists, movielens

_GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
_HARPER = "Harper and Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5(4), Article 19."
_RESEARCH = "Research use; no redistribution and no commercial use without GroupLens' permission."
_SHARED = "May be passed on under the same terms; no commercial use without GroupLens' permission; acknowledge."
_RATINGS = ("rating prediction", "implicit top-N")
_TIMED = (*_RATINGS, "sequences", "time splits")


def _movielens(name: str, title: str, users: int, items: int, interactions: int, **more: object) -> Dataset:
    facts: dict[str, object] = {
        "terms": _SHARED, "good_for": _TIMED, "read": movielens.read_csv_folder,
        "downloads": {f"{name}.zip": f"{_GROUPLENS}{name}.zip"},
    }  # fmt: skip
    return Dataset(
        name=name, title=title, origin=f"https://grouplens.org/datasets/movielens/", citation=_HARPER,
        counts={"users": users, "items": items, "interactions": interactions}, **(facts | more),  # type: ignore[arg-type]
    )  # fmt: skip


_ALL = (
    _movielens(
        "ml-100k", "MovieLens 100K (1998)", 943, 1682, 100_000, terms=_RESEARCH, read=movielens.read_100k,
        split=movielens.split_100k, folds=movielens.FOLDS_100K, aliases=("movielens-100k",),
    ),
    _movielens(
        "ml-1m", "MovieLens 1M (2003)", 6040, 3706, 1_000_209, terms=_RESEARCH, read=movielens.read_dat,
        split=movielens.split_1m, folds=movielens.FOLDS_1M, aliases=("movielens-1m",), good_for=_RATINGS,
    ),
    Dataset(
        name="book-crossing",
        title="Book-Crossing (2004), the cleaned subset of CaseRecommender",
        origin="https://grouplens.org/datasets/book-crossing/",
        terms="Free for research when acknowledged.",
        citation="Ziegler, McNee, Konstan and Lausen. 2005. Improving Recommendation Lists Through Topic Diversification. WWW.",
        counts={"users": 1295, "items": 14_684, "interactions": 62_656},
        good_for=("rating prediction on 1..10", "implicit top-N", "cold start from title and author"),
        read=book_crossing.read_ratings,
        variants={"ratings": book_crossing.read_ratings, "history": book_crossing.read_history,
                  "original": book_crossing.read_original},
    ),
    Dataset(
        name="lightgcn-gowalla",
        aliases=("gowalla",),
        title="Gowalla check-ins, the split of NGCF and LightGCN",
        origin="https://github.com/gusye1234/LightGCN-PyTorch",
        terms="No licence stated; research use, cite.",
        citation="Cho, Myers and Leskovec. 2011. Friendship and Mobility. KDD; He et al. 2020. LightGCN. SIGIR (the split).",
        counts={"users": 29_858, "items": 40_981, "interactions": 1_027_370},
        good_for=("implicit top-N", "a published table: recall@20, ndcg@20 over all items"),
        read=lists.read_both,
        split=lambda place, fold, options: lists.read_split(place, options, "Gowalla (NGCF, LightGCN)"),
        folds=("published",),
    ),
    Dataset(
        name="lcfn-ml-1m",
        title="MovieLens 1M as an implicit split (LCFN, used by UltraGCN)",
        origin="https://github.com/xue-pai/UltraGCN",
        terms=_RESEARCH,
        citation="Yu and Qin. 2020. Low-pass Collaborative Filters. ICML; Mao et al. 2021. UltraGCN. CIKM; " + _HARPER,
        counts={"users": 6022, "items": 3043, "interactions": 895_699},
        good_for=("implicit top-N", "a published table: f1@20, ndcg@20 over all items"),
        read=lists.read_both,
        split=lambda place, fold, options: lists.read_split(place, options, "MovieLens 1M (LCFN, UltraGCN)"),
        folds=("published",),
    ),
)  # fmt: skip

KNOWN: Mapping[str, Dataset] = {dataset.name: dataset for dataset in _ALL}
