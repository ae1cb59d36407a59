"""Text that isn't a table, known by its first lines, so that no part of it is taken for ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cofactor.base.errors import DataError

# Lines that are looked at.
_SOME = 20
# Characters up to which lines are looked at: some signs take the square of their number.
_LONG = 1000
_CURE = "export it as csv, JSON or Parquet"
# What the first line alone shows: what it is, its sign, what to do.
_BEGINNINGS = tuple(
    (what, re.compile(sign, re.IGNORECASE), cure)
    for what, sign, cure in (
        (
            "a dump of SQL",
            r"\s*(INSERT (INTO|\[)|REPLACE INTO|CREATE (TABLE|DATABASE|SCHEMA)|DROP TABLE"
            r"|COPY .* FROM stdin|-- \w+ (database )?dump|--\s*$|/\*[!M]|PRAGMA \w+ ?=|USE [\[`]"
            r"|BEGIN TRANSACTION|SET [\w@]+ ?(=|TO\b)|LOCK TABLES)",
            _CURE,
        ),
        ("a pointer of Git LFS", r"version https://git-lfs", "fetch the file (git lfs pull)"),
        ("YAML", r"\s*- (['\"\w ]+:(\s|$)|\{)|---\s*$|%YAML", _CURE),
        ("an ARFF file", r"\s*@relation\b", _CURE),
        ("a network of Pajek", r"\*(vertices|network|edges|arcs)\b", "write its edges as csv"),
        (
            "a matrix in Matrix Market's format",
            r"%%Matrix",
            "read it with scipy.io.mmread, and pass the matrix",
        ),
        ("MySQL's output with a line per column", r"\*{5,} 1\. row \*{5,}", "use mysql --batch"),
        (
            "a script",
            r"\s*(const|let|var|export|module\.exports|window\.\w+)\b[^,;\t]*=\s*[\[{]"
            r"|\w+\(\s*[\[{]",
            "keep only the JSON in it",
        ),
        (
            "rows as Python writes lists",
            r"\s*[\[(]\s*\(",
            "write them with json.dump or csv.writer",
        ),
        ("an object of R", r"\s*(structure|data\.frame|list)\(", "write it with write.csv"),
        ("a program", r"#!|<\?php", _CURE),
        (
            "a mail",
            r"(from|return-path|received|delivered-to|message-id|mime-version): ?\S"
            r"|from \S+@\S+\s+\w{3} \w{3} +\d",
            "save the file that came with it, and read that",
        ),
        ("a patch", r"diff --git |(---|\+\+\+) [\w./]+|@@ -\d", "apply it to its file"),
        (
            "a mapping without its braces",
            r"\s*(['\"])[^'\"]*\1\s*:\s*[\[{(]",
            "write it with json.dump",
        ),
        ("JSON behind record separators", r"\x1e", "take them out (tr -d '\\036')"),
    )
)
# How files of other programs begin.
_BINARY = tuple(
    (re.compile(sign, re.DOTALL), what, cure)
    for sign, what, cure in (
        (rb"ORC[\x00-\x1f]{2}", "an ORC file", "write Parquet"),
        (rb"Obj\x01", "an Avro file", "write Parquet"),
        (rb"\x89HDF|.{0}CDF[\x01\x02\x05]", "an HDF5 or NetCDF file", "write Parquet or csv"),
        (rb"\x93NUMPY", "an array of NumPy", "pass numpy.load(file)"),
        (
            rb"\x80[\x02-\x05][\x95c}\](]|\([ld]p\d+\n|c(copy_reg|pandas|numpy)[\w.]*\n",
            "a pickle, which may run code",
            "write Parquet or csv",
        ),
        (rb"\xd0\xcf\x11\xe0", "a document of old Office", "save the sheet as .xlsx or csv"),
        (rb"<stata_dta>|[\x69-\x77][\x01\x02]\x01\x00", "a file of Stata", "write csv"),
        (rb"\$FL2|\x00{8}.{4}\xc2\xea", "a file of SPSS or SAS", "write csv"),
        (rb"RD[XAB][23]\n", "a file of R", "write csv or Parquet"),
        (rb".{8}DUCK", "a database of DuckDB", "pass a relation of it, or COPY to Parquet"),
        (rb"7z\xbc\xaf|Rar!", "an archive of 7-Zip or RAR", "unpack it"),
        (rb"PK\x03\x04|PK\x05\x06|.{257}ustar", "an archive among other files", "unpack it"),
        (rb"\x1f[\x9d\xa0]|\]\x00\x00", "packed by compress or lzma", "unpack it"),
        (rb"\x04\x22\x4d\x18|\xff\x06\x00\x00sNaPpY", "packed by lz4 or snappy", "unpack it"),
        (rb"MATLAB 5", "a file of MATLAB", "write csv or Parquet"),
        (rb"%PDF-|\x89PNG|\xff\xd8\xff|GIF8", "a page or a picture", _CURE),
    )
)
# What a zip is by the names of its files, and the cure.
_ZIPPED = (
    (re.compile(r"xl/workbook\.bin"), "a binary workbook of Excel", "save it as .xlsx or csv"),
    (
        re.compile(r"META-INF/manifest\.xml$"),
        "a spreadsheet of OpenDocument",
        "save it as .xlsx or csv",
    ),
    (
        re.compile(r"word/document\.xml$|ppt/presentation\.xml$"),
        "a document of Office",
        "save its table as csv",
    ),
    (re.compile(r"Index/.*\.iwa"), "a spreadsheet of Numbers", "export it as csv"),
    (
        re.compile(r"(.*/)?data\.pkl$"),
        "a pickle of PyTorch, which may run code",
        "write its tensors as csv or Parquet",
    ),
    (
        re.compile(r"[^/]*\.npy$"),
        "an archive of NumPy's arrays",
        "pass what numpy.load or scipy.sparse.load_npz reads of it",
    ),
)
# A header may stand above them.
_BRACKETS = "rows in brackets (tuples or lists without quotes)"
_NAMED = r"[A-Za-z_][\w.]*=(\"[^\"]*\"|[^\s,;&\"]*)"
_LEVELS = "DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|TRACE|FATAL|CRITICAL"
# What all lines show.
_LINES = tuple(
    (what, re.compile(sign), cure)
    for what, sign, cure in (
        ("a log of a web server", r"\S+ \S+ \S+ \[\d{1,2}/\w{3}/\d{4}:", _CURE),
        (
            "lines of name=value",
            rf"{_NAMED}([\s,;&]+{_NAMED})+\s*$",
            "write the values as columns, the names as their header",
        ),
        (
            "rows as Python writes tuples or lists",
            r"\s*([\[(])\s*(['\"]|-?\d)[^\[\]()]*[\])]\s*,?\s*$",
            "write them with json.dump or csv.writer",
        ),
        ("a list of an evaluation's candidates", r"\(\d+, ?\d+\)(\t\d+)+\s*$", "read its folder"),
        (
            _BRACKETS,
            r"\s*(\([^(),]+,[^()]*\)|\[[^\[\],]+,[^\[\]]*\])\s*([,;\t ][^()\[\]]*)?$"
            r"|[^\s,;()\[\]]+[\s,;]+\([^(),]+,\s*-?[\d.]+\s*\)\s*$"
            r"|\s*\(\S+( \S+)+\)\s*$",
            "take the brackets off",
        ),
        ("triples of a graph (RDF)", r"(<[^>]*>|_:\w+)\s+<[^>]*>\s+.*\.\s*$", _CURE),
        ("lines of InfluxDB", rf"\w+(,{_NAMED})+ {_NAMED}", _CURE),
        (
            "pairs of an item and its value in brackets",
            r"\S+[\t ]+\[[^\s\[\],:]+:-?[\d.]+(,\s*[^\s\[\],:]+:-?[\d.]+)*\]\s*$",
            "write a row for each user and item",
        ),
        (
            "JSON behind a key",
            r"[^\s{}\[\]]+([\t ]+|:)\{\s*\".*\}\s*$",
            "keep only the JSON in it",
        ),
        (
            "a log of a program",
            rf"\[?\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d.*\b({_LEVELS})\b|[\[(]?({_LEVELS})[\])]?:?\s",
            _CURE,
        ),
        ("a log of a system", r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s:]+: ", _CURE),
        ("a table of LaTeX", r"[^&]+(&[^&]*)+\\\\", "write csv instead"),
        ("SPMF's sequences", r"[\d ]+ -1( [\d ]+ -1)* -2\s*$", "write a row for each item"),
        ("fastText's lines", r"__label__", _CURE),
        (
            "Vowpal Wabbit's lines",
            r"-?\d+(\.\d+)? ([^|\s]+ )*\|[A-Za-z]\w*(:[\d.]+)? [^|]+",
            "write the features as columns, their namespaces as the header",
        ),
        (
            "commands of Redis",
            r"(Z(ADD|INCRBY)|[HL]?M?SET(NX)?|[SX]ADD|[LR]PUSH|HINCRBY(FLOAT)?)( \S+){2,}\s*$",
            "write the values as columns",
        ),
        ("facts of a logic program", r"\w+\([^()]*\)\.\s*$", _CURE),
        (
            "lines of a program (calls, assignments)",
            r"[^\s,;|\"]*(\s*(=|<-)\s*[\w.]+)?\w[\[({][^\])},;\t|]*[,;\t|]",
            "write the values alone",
        ),
        (
            "pairs with an arrow between them",
            r"[^,;\t]*?\S\s*(->|=>|→)\s*\S",
            "give delimiter='->'",
        ),
    )
)
# What a line of rules under the names of a drawn table is made of, and its pieces.
_RULES = frozenset(" \t|+,;:=-").union(map(chr, range(0x2500, 0x2580)))
_PIECE = re.compile(r":-+:?|-+:|[-=\u2500\u2501\u2550]{2,}")
_KEY = re.compile(r"[ \t]*(- )?[^\s:,;][^:,;]*:(\s|$)")
_FIELD = re.compile(r"([A-Za-z][\w/ .-]*): ?(?!:)\S")
_DIGIT = re.compile(r"\d")
FIELDS = ("lines of 'name: value'", "write the values as columns, the names as their header")
_COMMENT = re.compile(r"[%#]+(\s|$)")
_XML = re.compile(r"\s*<\?xml\b[^>]*>\s*(<!--.*?-->\s*)?<(?!html|!doctype)", re.IGNORECASE)
_MARKUP = re.compile(
    r"^\s*<((!doctype|html|head|body|\?xml|table)\b|([a-z][\w-]*)(\s[^<>]*)?>(.*</\w|\s*$))",
    re.IGNORECASE,
)


def refuse_no_table(lines: Sequence[str], source: str, *, split_at: str | None = None) -> None:
    """Raise DataError, which names the cure, if lines that hold something are known to be no table;
    where the caller says the delimiter (``split_at``), the first line alone decides.
    """
    found = _known(lines, split_at)
    if found is not None:
        raise DataError(f"this is {found[0]}, not a table; {found[1]}.", source=source)
    if _XML.match("".join(lines[:2])):
        raise DataError(
            "this is XML, not a table; write its rows as csv or JSON (pandas.read_xml reads such).",
            source=source,
        )
    if _MARKUP.match(lines[0]):
        raise DataError(
            "this is a page in HTML or XML (of a login or of an error, perhaps), not a table; fetch"
            " or export the data again.",
            source=source,
        )


def _known(lines: Sequence[str], split_at: str | None) -> tuple[str, str] | None:
    """What lines are that aren't a table, and the cure; None if they may be one."""
    first = lines[0], next((line for line in lines if line[:1] not in ("%", "#")), "")
    for what, sign, cure in _BEGINNINGS:
        if any(map(sign.match, first)):
            return what, cure
    some = lines[:_SOME]
    if split_at is not None or max(map(len, some)) >= _LONG:
        return None
    if any(line.startswith("#Fields: ") for line in some):
        return "a log of a web server", _CURE
    if _is_yaml([line for line in some if line[:1] != "#"]):
        return "YAML", _CURE
    if _are_fields(some):
        return FIELDS
    if any(_is_rule(line) for line in some[:4]):
        cure = "write csv instead (psql --csv, mysql --batch, sqlite3 -csv, to_csv)"
        return "a table drawn for the eye", cure
    for what, sign, cure in _LINES:
        if all(map(sign.match, some[what == _BRACKETS and len(some) > 1 :])):
            return what, cure
    return None


def refuse_binary(sample: bytes, source: str) -> None:
    """Raise DataError, which names the cure, if a file's first bytes are another program's."""
    for sign, what, cure in _BINARY:
        if sign.match(sample):
            raise DataError(f"this is {what}, not a table of text; {cure}.", source=source)


def refuse_zipped(names: Sequence[str], source: str) -> None:
    """Raise DataError, which names the cure, if a zip's files are those of another program."""
    for sign, what, cure in _ZIPPED:
        if any(map(sign.match, names)):
            raise DataError(f"this is {what}, not a table of text; {cure}.", source=source)


def _is_yaml(lines: Sequence[str]) -> bool:
    """Whether lines are keys, of which some have nothing behind them but indented ones below."""
    keys = all(map(_KEY.match, lines)) and bool(lines) and lines[0].rstrip().endswith(":")
    return keys and len(lines) > 1 and lines[1][:1] in " \t"


def _are_fields(lines: Sequence[str]) -> bool:
    """Whether lines are records of a field each (``From: ann``), whose names return in one order;
    lists of users return in none.
    """
    names = [found[1] for line in lines if (found := _FIELD.match(line))]
    if len(names) < len(lines) or names[0] not in names[1:]:
        return False
    period = names.index(names[0], 1)
    one = names[:period]
    # A whole record, and a part of the next one at least.
    fits = all(name == one[n % period] for n, name in enumerate(names))
    return fits and len(set(one)) == period > 1 and not any(map(_DIGIT.search, names))


def _is_rule(line: str) -> bool:
    return _RULES.issuperset(line) and len(_PIECE.findall(line)) > 1


def comments(lines: Sequence[str]) -> int:
    """Return how many lines of comment stand first: ``% bip weighted``, ``# Nodes: 4``."""
    count = next((n for n, line in enumerate(lines) if line[:1] not in ("%", "#")), 0)
    return count if all(_COMMENT.match(line) for line in lines[:count]) else 0
