"""Boards of the next item: our figures beside the published ones, by one call each."""

RECIPES: dict[str, str] = {
    "ml_1m": "MovieLens 1M, SASRec's file: HR@10 and nDCG@10 over all items",
    "beauty": "Amazon Beauty 5-core, ids alone and with titles",
    "scientific": "Amazon Scientific, a small set, ids alone and with text",
    "diginetica": "Diginetica sessions: P@20 and MRR@20, in per cent",
    "tmall": "Tmall sessions: P@20 and MRR@20, in per cent",
    "global_time": "leave-one-out beside one point in time for all users, where there are times",
}
