"""Data made by code: a book shop to try things on, puzzles with known answers for tests, and big
shapes for timing.
"""

from cofactor.data.synthetic.markov import Chain, sequences
from cofactor.data.synthetic.puzzles import LowRank, Puzzle, blocks, low_rank
from cofactor.data.synthetic.shapes import power_law
from cofactor.data.synthetic.shop import shop, shop_events

__all__ = [
    "Chain",
    "LowRank",
    "Puzzle",
    "blocks",
    "low_rank",
    "power_law",
    "sequences",
    "shop",
    "shop_events",
]
