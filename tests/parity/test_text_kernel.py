from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import text as fast
from cofactor.kernels.reference import text as slow

PLACES = np.array([1, 0, 3, 4], np.int64)


def parsed(module: object, lines: list[str], end: str = "\n") -> tuple[bool, list[np.ndarray]]:
    text = np.frombuffer("".join(line + end for line in lines).encode(), np.uint8)
    cut = len("".join(line + end for line in lines[:2]))
    bounds = np.array([0, cut, cut, len(text)], np.int64)
    counts = module.count_lines(text, bounds)  # type: ignore[attr-defined]
    out = [np.zeros(len(lines), kind) for kind in (np.int64, np.int64, np.float32, np.int64)]
    good = module.parse_rows(text, bounds, np.cumsum(counts) - counts, ord(","), 5, PLACES, *out)  # type: ignore[attr-defined]
    return bool(good), out


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_numbers_equal_the_reference(end: str) -> None:
    lines = ["7,1,x,3.5,964982703", "-12,0,,.25,-5"]
    lines += ["999999999999999999,-999999999999999999,é,-12345678.1234567,0", "3,4,z,5.,007"]
    ours, theirs = parsed(fast, lines, end), parsed(slow, lines, end)
    assert ours[0]
    assert theirs[0]
    for mine, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert ours[1][0].tolist() == [1, 0, -999999999999999999, 4]


@pytest.mark.parametrize(
    "odd",
    [
        "007,1,x,3,4", "-0,1,x,3,4", "+1,1,x,3,4", ",1,x,3,4", "1,1,x,,4", "1,1,x,3,", "1,1,x,nan,4", "1,1,x,1e3,4", "1,1,x,3",
        "1,1,x,3,4,5",
        '"1",1,x,3,4', '1,1,"x",3,4', "1000000000000000000,1,x,3,4", "1,1,x,3,2016-09-30", "1,1,x,1234567890.123456,4",
        "1 ,1,x,3,4", "1,1,x,.,4", "1,1,x,-,4", "", "1,a,x,3,4", "1,1,x,3,4.5",
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 3])
def test_any_row_that_is_not_plain_is_refused_by_both(odd: str, at: int) -> None:
    lines = ["1,2,x,3,4"] * 4
    lines[at] = odd
    assert not parsed(fast, lines)[0]
    assert not parsed(slow, lines)[0]
