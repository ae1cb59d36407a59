from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import text as fast
from cofactor.kernels.reference import text as slow

ROLES = np.array([slow.ITEM, slow.USER, slow.SKIP, slow.VALUE, slow.TIME], np.int64)
LIMIT = 2**31 - 1


def parsed(
    module: object,
    lines: list[str],
    end: str = "\n",
    *,
    delimiter: str = ",",
    behind: bytes = b"7" * 64,
) -> tuple[int, list[np.ndarray]]:
    """What a module makes of lines; what stands behind the text is the least pleasant there
    could be.
    """
    block = "".join(line.replace(",", delimiter) + end for line in lines).encode()
    text = np.frombuffer(bytearray(block + behind), np.uint8)
    out = [np.zeros(len(lines), kind) for kind in (np.int32, np.int32, np.float32, np.int64)]
    first, second = (*delimiter.encode(), 0)[:2]
    return int(module.parse_rows(text, len(block), first, second, ROLES, LIMIT, *out)), out  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", "::", "\t"])
def test_plain_numbers_equal_the_reference(end: str, delimiter: str) -> None:
    lines = [
        "7,1,x,3.5,964982703",
        "-12,0,,.25,-5",
        "1234567,12345678,some words,0.1,123456789012345678",
    ]
    lines += [
        "2147483647,-2147483647,-.5e+x,-1234567.12345678,0",
        "3,4,z,5.,007",
        "123456,99,,123456789012345,-00000000000000001",
    ]
    ours, theirs = (parsed(module, lines, end, delimiter=delimiter) for module in (fast, slow))
    assert ours[0] == theirs[0] == slow.PLAIN
    for mine, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert ours[1][0].tolist() == [1, 0, 12345678, -2147483647, 4, 99]


@pytest.mark.parametrize(
    ("digits", "scale"),
    [(digits, scale) for digits in range(1, 16) for scale in range(min(digits, 8) + 1)],
)
def test_values_are_the_nearest_float32_of_pythons_float(digits: int, scale: int) -> None:
    generator = np.random.default_rng([digits, scale])
    numbers = generator.integers(10 ** (digits - 1), 10**digits, 40)
    texts = [str(n)[: digits - scale] + "." + str(n)[digits - scale :] for n in numbers]
    found = parsed(fast, [f"1,1,,{text},1" for text in texts])[1][2]
    np.testing.assert_array_equal(
        found, np.array([float(text) for text in texts]).astype(np.float32)
    )


@pytest.mark.parametrize(
    "odd",
    [
        "007,1,x,3,4",
        "-0,1,x,3,4",
        "+1,1,x,3,4",
        ",1,x,3,4",
        "1,1,x,,4",
        "1,1,x,3,",
        "1,1,x,nan,4",
        "1,1,x,1e3,4",
        "1,1,x,3",
        "1,1,x,3,4,5",
        "1,1,x,3,4,",
        "--1,1,x,3,4",
        "1,1,x,3..5,4",
        "1,1,x,3.5.,4",
        "1.5,1,x,3,4",
        "-,1,x,3,4",
        "1,1,x,3,-",
        '"1",1,x,3,4',
        '1,1,"x",3,4',
        "1000000000000000000,1,x,3,4",
        "1,1,x,3,2016-09-30",
        "1,1,x,1234567890.123456,4",
        "1 ,1,x,3,4",
        "1,1,x,.,4",
        "1,1,x,-,4",
        "",
        "1,a,x,3,4",
        "1,1,x,3,4.5",
        "1,1,é,3,4",
        "1,1,x,.123456789,4",
        "1,1,x,3,4\r\r",
        "1,1,x\ry,3,4",
        "1,1,x,3,1234567890123456789",
        "1,1,x,-.,4",
        " 1,1,x,3,4",
        "1,1,x,3-,4",
        "1,1,x,3,4-",
        "1\r,1,x,3,4",
    ],
)
@pytest.mark.parametrize("at", [0, 3])
def test_any_row_that_is_not_plain_is_refused_by_both(odd: str, at: int) -> None:
    lines = ["1,2,x,3,4"] * 4
    lines[at] = odd
    assert parsed(fast, lines)[0] == parsed(slow, lines)[0] == slow.ODD


@pytest.mark.parametrize(
    "wide", ["2147483648,1,x,3,4", "1,-2147483648,x,3,4", "123456789012345678,1,x,3,4"]
)
def test_ids_beyond_the_limit_are_distinguished_from_odd_rows(wide: str) -> None:
    lines = ["1,2,x,3,4", wide, "1,2"]
    assert parsed(fast, lines)[0] == parsed(slow, lines)[0] == slow.WIDE
    assert parsed(fast, lines[::-1])[0] == parsed(slow, lines[::-1])[0] == slow.ODD


@pytest.mark.parametrize("length", range(1, 70))
def test_lines_of_any_length_at_any_place(length: int) -> None:
    lines = ["5,6,x,3.5,4", "1,2," + "w" * length + ",4.5,1234567890", "3,4,,2,-7"]
    ours, theirs = parsed(fast, lines, behind=b"\n," * 32), parsed(slow, lines)
    assert ours[0] == theirs[0] == slow.PLAIN
    for mine, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_array_equal(mine, other)
