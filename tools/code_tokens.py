"""Tokens of code, and how many of them belong to features that an earlier commit had.

    python -m tools.code_tokens                     # 18277fe beside HEAD, package by package
    python -m tools.code_tokens --features          # what was added since, feature by feature
    python -m tools.code_tokens --now . --before 18277fe

A token is what `tokenize` of Python 3.11 yields, without strings, comments, line ends and
indentation; the end of a file counts as one, as it did when 288,946 was counted at 18277fe. What
belongs to features that came later is listed in `code_tokens.txt`; everything else counts as code
of the earlier ones, rewritten or not. Needs Git, and Python 3.11: later ones cut f-strings open.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tokenize
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

SOURCE = "src/cofactor/"
MAPPING = Path(__file__).with_suffix(".txt")
LEFT_OUT = {
    tokenize.STRING,
    tokenize.COMMENT,
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
}


def sources(commit: str) -> dict[str, str]:
    """Return the package's files at a commit, or in this tree (``.``), by their names in it."""
    if commit == ".":
        files = sorted(Path(SOURCE).rglob("*.py"))
        return {str(f.relative_to(SOURCE)): f.read_text(encoding="utf-8") for f in files}
    listed = _git("ls-tree", "-r", "--name-only", commit, SOURCE).splitlines()
    names = [name for name in listed if name.endswith(".py")]
    return {name.removeprefix(SOURCE): _git("show", f"{commit}:{name}") for name in names}


def tokens(text: str) -> Counter[str]:
    """Return the number of tokens of each function, method and class body of a file; "" is the
    rest.
    """
    owners = [""] * (text.count("\n") + 3)
    _own(ast.parse(text), "", owners)
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(owners[t.start[0]] for t in found if t.type not in LEFT_OUT)


def features(mapping: str) -> dict[str, list[str]]:
    """Return the patterns of each feature."""
    found: dict[str, list[str]] = {}
    for line in mapping.splitlines():
        if line.startswith("["):
            patterns = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            patterns.append(line)
    return found


def feature_of(name: str, part: str, known: dict[str, list[str]]) -> str:
    """Return the later feature that a part of a file belongs to; "" for none."""
    for feature, patterns in known.items():
        for pattern in patterns:
            file, _, parts = pattern.partition(":")
            if fnmatchcase(name, file) and (not parts or fnmatchcase(part, parts)):
                return feature
    return ""


def main() -> int:
    """Count, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--before", default="18277fe")
    parser.add_argument("--now", default="HEAD", help="a commit, or . for the files as they are")
    parser.add_argument("--features", action="store_true", help="by feature that came later")
    given = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        parser.error("needs Python 3.11: later ones count the inside of f-strings.")
    before, now, added = _counts(given.before, {}), Counter[str](), Counter[str]()
    for (name, feature), n in _by_feature(given.now, features(MAPPING.read_text())).items():
        (added if feature else now)[feature or _package(name)] += n
    if given.features:
        for feature, n in added.most_common():
            print(f"{n:8,}  {feature}")
    else:
        for package in sorted({*before, *now}):
            print(f"{package:24}{before[package]:10,}{now[package]:10,}")
    was, same = before.total(), now.total()
    print(
        f"\nbefore {was:,}; now {same + added.total():,}, of which {added.total():,} are of later"
    )
    print(f"features; for the same features {same:,}, {100 * same / was:.1f} % of before")
    return 0


def _counts(commit: str, known: dict[str, list[str]]) -> Counter[str]:
    """Return tokens by package, those of later features left out."""
    counts = Counter[str]()
    for (name, feature), n in _by_feature(commit, known).items():
        counts[_package(name)] += 0 if feature else n
    return counts


def _by_feature(commit: str, known: dict[str, list[str]]) -> Counter[tuple[str, str]]:
    """Return tokens by file and later feature."""
    counts = Counter[tuple[str, str]]()
    for name, text in sources(commit).items():
        for part, n in tokens(text).items():
            counts[name, feature_of(name, part, known)] += n
    return counts


def _package(name: str) -> str:
    """Return what a file is counted under: the service's store has a package of its own since."""
    folders = name.replace("service/store/", "store/").split("/")[:-1]
    return "/".join(
        folders[:2] if folders[:1] in (["data"], ["kernels"], ["models"]) else folders[:1]
    )


def _own(node: ast.AST, above: str, owners: list[str]) -> None:
    """Note for each line which function, method or class it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{above}.{child.name}".lstrip(".")
            begin = min(child.lineno, *(d.lineno for d in child.decorator_list), child.lineno)
            last = child.end_lineno or child.lineno
            owners[begin : last + 1] = [name] * (last + 1 - begin)
            if isinstance(child, ast.ClassDef):
                _own(child, name, owners)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
