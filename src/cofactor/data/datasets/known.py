"""The datasets that have names. MD5 sums are those that the publisher gives beside the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cofactor.data.datasets.registry import Dataset
from cofactor.data.readers import (
    book_crossing,
    citeulike,
    goodbooks,
    lists,
    movielens,
    ncf,
    recbole,
    reviews,
    sequences,
    sessions,
)
from cofactor.data.readers.columns import Options
from cofactor.data.readers.source_files import Source
from cofactor.data.split import Split

_GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
_GITHUB = "https://raw.githubusercontent.com/"
_HARPER = (
    "Harper and Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5(4),"
    " Article 19."
)
_MCAULEY = (
    "McAuley, Targett, Shi and van den Hengel. 2015. Image-based Recommendations on Styles and"
    " Substitutes. SIGIR; He and McAuley. 2016. Ups and Downs. WWW."
)
_RESEARCH = "Research use; no redistribution and no commercial use without GroupLens' permission."
_SHARED = (
    "May be passed on under the same terms; no commercial use without GroupLens' permission;"
    " acknowledge."
)
_RATINGS = ("rating prediction", "implicit top-N")
_TIMED = (*_RATINGS, "sequences", "time splits")


def _movielens(
    name: str, title: str, counts: tuple[int, int, int], md5: str | None = None, **more: Any
) -> Dataset:
    facts: dict[str, Any] = {
        "terms": _SHARED,
        "good_for": _TIMED,
        "read": movielens.read_csv_folder,
    }
    return Dataset(
        name=name,
        title=title,
        origin="https://grouplens.org/datasets/movielens/",
        citation=_HARPER,
        counts=_counts(*counts),
        downloads={f"{name}.zip": f"{_GROUPLENS}{name}.zip"},
        md5={f"{name}.zip": md5} if md5 else {},
        **(facts | more),
    )


def _counts(users: int, items: int, interactions: int) -> dict[str, int]:
    return {"users": users, "items": items, "interactions": interactions}


def _published(what: str) -> Callable[[Source, str, Options], Split]:
    return lambda place, fold, options: lists.read_split(place, options, what)


_MOVIELENS = (
    _movielens(
        "ml-100k",
        "MovieLens 100K (1998)",
        (943, 1682, 100_000),
        "0e33842e24a9c977be4e0107933c0723",
        terms=_RESEARCH,
        read=movielens.read_100k,
        split=movielens.split_100k,
        folds=movielens.FOLDS_100K,
        aliases=("movielens-100k",),
        good_for=(*_TIMED, "user and item features", "published folds: RMSE"),
    ),
    _movielens(
        "ml-1m",
        "MovieLens 1M (2003)",
        (6040, 3706, 1_000_209),
        "c4d9eecfca2ab87c1945afe126590906",
        terms=_RESEARCH,
        read=movielens.read_dat,
        split=movielens.split_1m,
        folds=movielens.FOLDS_1M,
        aliases=("movielens-1m",),
        variants={"latest20pct": movielens.read_latest},
        good_for=(*_RATINGS, "user features", "cold start from plots, where they are there"),
    ),
    _movielens(
        "ml-10m",
        "MovieLens 10M (2009)",
        (69_878, 10_677, 10_000_054),
        "ce571fd55effeba0271552578f2648bd",
        terms=_RESEARCH,
        read=movielens.read_dat,
        aliases=("movielens-10m",),
    ),
    _movielens(
        "ml-20m",
        "MovieLens 20M (2015)",
        (138_493, 26_744, 20_000_263),
        "cd245b17a1ae2cc31bb14903e1204af3",
        aliases=("movielens-20m",),
    ),
    _movielens(
        "ml-25m",
        "MovieLens 25M (2019)",
        (162_541, 59_047, 25_000_095),
        "6b51fb2759a8657d3bfcbfc42b592ada",
        aliases=("movielens-25m",),
    ),
    _movielens(
        "ml-32m",
        "MovieLens 32M (2024)",
        (200_948, 84_432, 32_000_204),
        "d472be332d4daa821edc399621853b57",
        aliases=("movielens-32m",),
    ),
    _movielens(
        "ml-latest-small",
        "MovieLens latest-small (September 2018)",
        (610, 9724, 100_836),
        good_for=(*_TIMED, "tags as item text"),
    ),
)

_BOOKS = (
    Dataset(
        name="book-crossing",
        title="Book-Crossing (2004), the cleaned subset of CaseRecommender",
        origin="https://grouplens.org/datasets/book-crossing/",
        terms="Free for research when acknowledged.",
        citation=(
            "Ziegler, McNee, Konstan and Lausen. 2005. Improving Recommendation Lists Through Topic"
            " Diversification. WWW."
        ),
        counts=_counts(1295, 14_684, 62_656),
        good_for=(
            "rating prediction on 1..10",
            "implicit top-N",
            "cold start from title and author",
        ),
        read=book_crossing.read_ratings,
        variants={
            "ratings": book_crossing.read_ratings,
            "history": book_crossing.read_history,
            "original": book_crossing.read_original,
        },
    ),
    Dataset(
        name="goodbooks-10k",
        title="goodbooks-10k (2017)",
        origin="https://github.com/zygmuntz/goodbooks-10k",
        terms="CC BY-SA 4.0.",
        citation=(
            "Zygmunt Zając. 2017. Goodbooks-10k: a new dataset for book recommendations. FastML."
        ),
        counts=_counts(53_424, 10_000, 5_976_479),
        good_for=(*_RATINGS, "a catalogue with messy metadata"),
        read=goodbooks.read_goodbooks,
        downloads={
            "goodbooks-10k.zip": (
                "https://github.com/zygmuntz/goodbooks-10k/releases/download/v1.0/goodbooks-10k.zip"
            )
        },
    ),
    Dataset(
        name="citeulike-a",
        aliases=("citeulike",),
        title="CiteULike-a (2013), with DropoutNet's splits",
        origin="https://github.com/js05212/citeulike-a",
        terms="No licence stated; cite.",
        citation=(
            "Wang and Blei. 2011. KDD; Wang, Chen and Li. 2013. IJCAI; Volkovs, Yu and Poutanen."
            " 2017. NeurIPS (splits)."
        ),
        counts=_counts(5551, 16_980, 204_986),
        good_for=(
            "item cold start from tags",
            "implicit top-N",
            "a published protocol: recall@100, warm and cold",
        ),
        read=citeulike.read_citeulike,
        split=citeulike.read_split,
        folds=citeulike.FOLDS,
    ),
)

_SPLITS = (
    Dataset(
        name="lightgcn-gowalla",
        aliases=("gowalla",),
        title="Gowalla check-ins, the split of NGCF and LightGCN",
        origin="https://github.com/gusye1234/LightGCN-PyTorch",
        terms="No licence stated; research use, cite.",
        citation=(
            "Cho, Myers and Leskovec. 2011. Friendship and Mobility. KDD; He et al. 2020. LightGCN."
            " SIGIR (the split)."
        ),
        counts=_counts(29_858, 40_981, 1_027_370),
        good_for=("implicit top-N", "a published table: recall@20, ndcg@20 over all items"),
        read=lists.read_both,
        split=_published("Gowalla (NGCF, LightGCN)"),
        folds=("published",),
        downloads={
            name: f"{_GITHUB}gusye1234/LightGCN-PyTorch/master/data/gowalla/{name}"
            for name in ("train.txt", "test.txt", "user_list.txt", "item_list.txt")
        },
    ),
    Dataset(
        name="lcfn-ml-1m",
        title="MovieLens 1M as an implicit split (LCFN, used by UltraGCN)",
        origin="https://github.com/xue-pai/UltraGCN",
        terms=_RESEARCH,
        citation=(
            "Yu and Qin. 2020. Low-pass Collaborative Filters. ICML; Mao et al. 2021. UltraGCN."
            " CIKM; "
        )
        + _HARPER,
        counts=_counts(6022, 3043, 895_699),
        good_for=("implicit top-N", "a published table: f1@20, ndcg@20 over all items"),
        read=lists.read_both,
        split=_published("MovieLens 1M (LCFN, UltraGCN)"),
        folds=("published",),
    ),
    Dataset(
        name="sasrec-ml-1m",
        title="MovieLens 1M as sequences, the SASRec file",
        origin="https://github.com/kang205/SASRec",
        terms=_RESEARCH,
        citation="Kang and McAuley. 2018. Self-Attentive Sequential Recommendation. ICDM; "
        + _HARPER,
        counts=_counts(6040, 3416, 999_611),
        good_for=("next-item recommendation", "a published table: hr@10, ndcg@10"),
        read=sequences.read_sasrec,
        split=sequences.split_sasrec,
        folds=("leave-one-out",),
        downloads={"ml-1m.txt": f"{_GITHUB}kang205/SASRec/master/data/ml-1m.txt"},
    ),
    Dataset(
        name="ncf-ml-1m",
        title="MovieLens 1M leave-one-out with 99 negatives, the NCF split",
        origin="https://github.com/hexiangnan/neural_collaborative_filtering",
        terms=_RESEARCH,
        citation="He, Liao, Zhang, Nie, Hu and Chua. 2017. Neural Collaborative Filtering. WWW; "
        + _HARPER,
        counts=_counts(6040, 3706, 1_000_209),
        good_for=("a published table: hr@10, ndcg@10 among 99 negatives",),
        read=ncf.read_whole,
        split=ncf.read_split,
        folds=("published",),
        downloads={
            name: f"{_GITHUB}hexiangnan/neural_collaborative_filtering/master/Data/{name}"
            for name in ("ml-1m.train.rating", "ml-1m.test.rating", "ml-1m.test.negative")
        },
    ),
)

_AMAZON = (
    Dataset(
        name="amazon-beauty-5core",
        aliases=("amazon-beauty",),
        title="Amazon Beauty 5-core (2014 crawl) as sequences, with product titles",
        origin="https://github.com/RUCAIBox/CIKM2020-S3Rec",
        terms="Research use (reviews); BSD 3-Clause (titles).",
        citation=_MCAULEY + " Zhou et al. 2020. S3-Rec. CIKM; titles: Harte et al. 2023. RecSys.",
        counts=_counts(22_363, 12_101, 198_502),
        good_for=(
            "next-item recommendation",
            "item cold start from titles",
            "a published table: hr, ndcg at 5 and 10",
        ),
        read=sequences.read_beauty,
        split=sequences.split_beauty,
        folds=("leave-one-out",),
        downloads={
            name: f"{_GITHUB}RUCAIBox/CIKM2020-S3Rec/master/data/{name}"
            for name in ("Beauty.txt", "Beauty_item2attributes.json")
        },
    ),
    Dataset(
        name="amazon-scientific",
        title="Amazon Industrial and Scientific (2018 crawl), a small set with item text",
        origin="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/",
        terms="Research use.",
        citation=(
            "Ni, Li and McAuley. 2019. Justifying Recommendations using Distantly-Labeled Reviews."
            " EMNLP."
        ),
        counts=_counts(2928, 1585, 19_712),
        good_for=("quick checks of sequences and of cold start from text",),
        read=recbole.read_atomic,
        split=recbole.split_prefixes,
        folds=("leave-one-out",),
    ),
    Dataset(
        name="amazon-musical-instruments-5core",
        aliases=("amazon-musical-instruments",),
        title="Amazon Musical Instruments 5-core reviews (2014 crawl)",
        origin="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html",
        terms="Research use.",
        citation=_MCAULEY,
        counts=_counts(1429, 900, 10_261),
        good_for=(*_RATINGS, "sequences"),
        read=reviews.read_amazon,
        downloads={
            "reviews_Musical_Instruments_5.json.gz": (
                "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
                "reviews_Musical_Instruments_5.json.gz"
            )
        },
    ),
)

_WANG = "Wang, Wei, Cong, Li, Mao and Qiu. 2020. Global Context Enhanced GNN. SIGIR."


def _sessions(name: str, title: str, counts: tuple[int, int, int], citation: str) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        origin="https://github.com/CCIIPLab/GCE-GNN",
        terms="No licence stated; research use, cite.",
        citation=f"{citation}; prepared by {_WANG}",
        counts=_counts(*counts),
        good_for=("next item in anonymous sessions", "a published table: P@20, MRR@20"),
        read=sessions.read_sessions,
        split=sessions.split_sessions,
        folds=sessions.FOLDS,
    )


_SESSIONS = (
    _sessions(
        "sessions-diginetica",
        "Diginetica shopping sessions (CIKM Cup 2016)",
        (186_670, 43_097, 906_140),
        "DIGINETICA. 2016. CIKM Cup, track 2",
    ),
    _sessions(
        "sessions-tmall",
        "Tmall shopping sessions (IJCAI 2015)",
        (65_286, 40_727, 416_554),
        "Tmall. 2015. IJCAI-15 repeat buyers prediction",
    ),
)

KNOWN: Mapping[str, Dataset] = {
    dataset.name: dataset for dataset in (*_MOVIELENS, *_BOOKS, *_SPLITS, *_AMAZON, *_SESSIONS)
}
