"""Item ids on the command line: options that may repeat, and lists in one of them; known ids come
first, so that commas and colons within ids do no harm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cofactor.base.errors import ArgumentError, UnknownIdError
from cofactor.base.progress import SILENT
from cofactor.data.ids import IdMap

Valued = tuple[str, float | None]


def listed_ids(options: Sequence[str], known: IdMap) -> tuple[list[str], list[str]]:
    """Return the ids that options name (an id or ``ID,ID,...`` each), and the unknown ones."""
    found: list[str] = []
    strange: list[str] = []
    # All at once first: among millions of ids that takes less time and memory than one by one.
    for words, row in zip(options, known.find(list(options)).tolist(), strict=True):
        if row >= 0:
            found.append(words.strip())
            continue
        for word in _parts(words, known):
            (found if known.find_one(word) >= 0 else strange).append(word)
    return found, strange


def lines_of(path: str) -> list[str]:
    """Return the lines of a text file (``-`` for standard input), blank ones left out; without
    their quotes where all of them have some, as tools write a column of texts.
    """
    # Here, since most calls name their users: all readers are loaded with it.
    from cofactor.data.readers.text_encoding import lines_of as lines_of_text

    found = [line.strip() for line in lines_of_text(_text_of(path)) if line.strip()]
    if not found:
        raise ArgumentError(f"--users {path} holds no user id.")
    if all(len(line) > 1 and line[0] == line[-1] == '"' for line in found):
        return [line[1:-1].replace('""', '"') for line in found]
    return found


def _text_of(path: str) -> str:
    from cofactor.data.readers.source_files import SourceFile
    from cofactor.data.readers.sources import reopened, standard_input
    from cofactor.data.readers.text_encoding import encoding_of

    try:
        place = Path(path)
        # A device such as /dev/zero may never end.
        entry = standard_input() if path == "-" else reopened(place, SILENT) or SourceFile(place)
        content = entry.read()
        encoding, mark = encoding_of(content, None)
        return content[mark:].decode(encoding)
    except OSError as error:
        raise ArgumentError(f"--users {path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ArgumentError(f"--users {path} isn't UTF-8; save it as that.") from None


def known_users(words: Sequence[str], known: IdMap) -> str | list[str]:
    """Return the users that options or lines name: one by itself, several as a list.

    Raises
    ------
    UnknownIdError
        If some are unknown.
    """
    found, strange = listed_ids(words, known)
    if strange:
        first = len(words) > 1 and strange == [words[0]]
        cure = (
            "If that is a heading, leave it out."
            if first
            else "--history ID,ID,... takes the items of an unseen user instead."
        )
        raise UnknownIdError(f"{known.unknown(strange, 'user')} {cure}")
    return found[0] if len(found) == 1 else found


def history_of(options: Sequence[str], known: IdMap) -> list[str] | dict[str, float]:
    """Return a history: ids in their order, or a mapping from id to value where all have one
    (``ID:VALUE``).

    Raises
    ------
    ArgumentError
        If there is no id, or some have values and others haven't.
    UnknownIdError
        If ids are unknown.
    """
    pairs = [_valued(word, known) for words in options for word in _parts(words, known)]
    if not pairs:
        raise ArgumentError("--history holds no item id.")
    strange = [word for word, _ in pairs if known.find_one(word) < 0]
    if strange:
        raise UnknownIdError(f"--history: {known.unknown(strange, 'item')}")
    values = {word: value for word, value in pairs if value is not None}
    if not values:
        return [word for word, _ in pairs]
    if len(values) < len({word for word, _ in pairs}):
        lacking = next(word for word, value in pairs if value is None)
        raise ArgumentError(
            f"--history must give every item a value (ID:VALUE) or none; {lacking!r} has none."
        )
    return values


def _parts(words: str, known: IdMap) -> list[str]:
    """The ids of one option: the whole of it if it is known, else what stands between commas, the
    longest known run of it first.
    """
    pieces = words.split(",")
    found: list[str] = []
    start = 0
    while start < len(pieces):
        end = next(
            (
                stop
                for stop in range(len(pieces), start, -1)
                if _is_known(",".join(pieces[start:stop]), known)
            ),
            start + 1,
        )
        word = ",".join(pieces[start:end]).strip()
        if word:
            found.append(word)
        start = end
    return found


def _is_known(word: str, known: IdMap) -> bool:
    return known.find_one(word) >= 0 or known.find_one(_valued(word, known)[0]) >= 0


def _valued(word: str, known: IdMap) -> Valued:
    """An id, or an id and its value; a known id is never divided."""
    if known.find_one(word) >= 0:
        return word, None
    name, colon, value = word.rpartition(":")
    try:
        return (name, float(value)) if colon and name else (word, None)
    except ValueError:
        return word, None
