"""Reading rows of plain numbers from text: the definition."""

from __future__ import annotations

import re

import numpy as np

SKIP, USER, ITEM, VALUE, TIME = 0, 1, 2, 3, 4
PLAIN, ODD, WIDE = 0, 1, 2
_WHOLE = re.compile(rb"^(0|-?[1-9][0-9]{0,17})$")
_TIME = re.compile(rb"^-?[0-9]{1,18}$")
_DECIMAL = re.compile(rb"^-?(?=\.?[0-9])[0-9]*(\.[0-9]{0,8})?$")
_OTHER = re.compile(rb'^[^"\r\x80-\xff]*$')


def parse_rows(
    text: np.ndarray,
    end: int,
    delimiter: int,
    second: int,
    roles: np.ndarray,
    limit: int,
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
) -> int:
    """Read four columns of numbers, and say whether all rows are plain.

    A row is plain if it has ``len(roles)`` fields; its ids are the usual decimal text of integers
    of up to 18 digits; its value has up to 15 digits, 8 of them behind the point, and no exponent
    (then rounding to float64 and to float32 from there gives the nearest float32, whatever the
    reader); its time is an integer of up to 18 digits; and what stands in other fields is ASCII
    without quotes. Where a row isn't, what is written is of no use and the text has to be read
    another way.

    Parameters
    ----------
    text
        uint8 [at least end + 64]; what stands behind ``end`` is read and ignored.
    end
        Where the text ends, behind a line end (LF or CRLF).
    delimiter, second
        The byte between fields, and the one that follows it; 0 for ``second`` where there is none.
    roles
        int64 [n_fields]: SKIP, USER, ITEM, VALUE or TIME.
    limit
        The greatest id, by its size.
    users, items
        int32 or int64 [n_rows], written.
    values, times
        float32 and int64 [n_rows], written; empty where there are none.

    Returns
    -------
    int
        PLAIN; of the first row that isn't plain ODD, or WIDE if all that is wrong up to there is an
        id beyond ``limit``.
    """
    between = bytes([delimiter, second] if second else [delimiter])
    for row, line in enumerate(text[:end].tobytes().split(b"\n")[:-1]):
        fields = line.removesuffix(b"\r").split(between)
        for place, role in enumerate(roles):
            if place >= len(fields):
                return ODD
            field = fields[place]
            if role == VALUE:
                if not _DECIMAL.match(field) or sum(48 <= byte <= 57 for byte in field) > 15:
                    return ODD
                values[row] = float(field)
            elif role == TIME:
                if not _TIME.match(field):
                    return ODD
                times[row] = int(field)
            elif role == SKIP:
                if not _OTHER.match(field):
                    return ODD
            elif not _WHOLE.match(field):
                return ODD
            elif abs(int(field)) > limit:
                return WIDE
            else:
                (users if role == USER else items)[row] = int(field)
        if len(fields) != len(roles):
            return ODD
    return PLAIN
