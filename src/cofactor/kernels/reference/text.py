"""Reading rows of plain numbers from text: the definition."""

from __future__ import annotations

import re

import numpy as np

_WHOLE = re.compile(rb"^(0|-?[1-9][0-9]{0,17})$")
_TIME = re.compile(rb"^-?[0-9]{1,18}$")
_DECIMAL = re.compile(rb"^-?(?=\.?[0-9])[0-9]*(\.[0-9]*)?$")


def count_lines(text: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the number of line ends within each part, int64 [n_parts].

    Parameters
    ----------
    text
        uint8 [n_bytes].
    bounds
        int64 [n_parts + 1]: where the parts begin and end.
    """
    parts = (text[bounds[n] : bounds[n + 1]] for n in range(len(bounds) - 1))
    return np.array([np.count_nonzero(part == 10) for part in parts], np.int64)


def parse_rows(
    text: np.ndarray,
    bounds: np.ndarray,
    firsts: np.ndarray,
    delimiter: int,
    n_fields: int,
    places: np.ndarray,
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
) -> bool:
    """Read four columns of numbers, and say whether all rows are plain.

    A row is plain if it has ``n_fields`` fields; its ids are the usual decimal text of integers of up to 18 digits; its
    value has up to 15 digits and no exponent; its time is an integer of up to 18 digits; and no field holds a quote. Where a
    row isn't, what is written is of no use and the text has to be read another way.

    Parameters
    ----------
    text
        uint8 [n_bytes]; ends with a line end (LF or CRLF).
    bounds
        int64 [n_parts + 1]: each part begins with a line; read in parallel.
    firsts
        int64 [n_parts]: the row number of each part's first line.
    delimiter
        The byte between fields.
    n_fields
        How many fields a line has.
    places
        int64 [4]: the fields of user, item, value and time; -1 for value or time where there is none.
    users, items, times
        int64 [n_rows], written; ``times`` empty where there is none.
    values
        float32 [n_rows], written; empty where there is none.
    """
    for part in range(len(firsts)):
        lines = text[bounds[part] : bounds[part + 1]].tobytes().split(b"\n")[:-1]
        for row, line in enumerate(lines, start=int(firsts[part])):
            fields = line.removesuffix(b"\r").split(bytes([delimiter]))
            if len(fields) != n_fields or b'"' in line:
                return False
            user, item = fields[places[0]], fields[places[1]]
            if not _WHOLE.match(user) or not _WHOLE.match(item):
                return False
            users[row], items[row] = int(user), int(item)
            if places[2] >= 0:
                value = fields[places[2]]
                if not _DECIMAL.match(value) or sum(48 <= byte <= 57 for byte in value) > 15:
                    return False
                values[row] = float(value)
            if places[3] >= 0:
                if not _TIME.match(fields[places[3]]):
                    return False
                times[row] = int(fields[places[3]])
    return True
