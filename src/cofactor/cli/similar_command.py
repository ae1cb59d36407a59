"""Show the items most similar to an item, by its id or by words of its title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from cofactor.base.errors import UnknownIdError
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.show import ranked_rows

if TYPE_CHECKING:
    from cofactor.models.answering.answers import RankedTable
    from cofactor.models.recommender import Recommender


@dataclass(frozen=True)
class What:
    """Item."""

    item: str | None = option(None, "The item's id.", metavar="ID")
    title: str | None = option(None, "Words of its title.", metavar="WORDS")
    text: str | None = option(
        None, "A description in words, for models with content.", metavar="SENTENCE"
    )


def command(
    model: opt.ModelFolder,
    what: What,
    compute: opt.ThreadOptions,
    show: opt.ShowOptions,
    k: opt.K = 10,
    where: str | None = option(None, "Only items that satisfy a condition.", metavar="EXPRESSION"),
) -> None:
    """Find neighbours."""
    from cofactor.artifact.load import load
    from cofactor.retrieval.filters import Filters

    item, title, text = what.item, what.title, what.text
    if sum(given is not None for given in (item, title, text)) != 1:
        raise typer.BadParameter("give one of --item, --title and --text.")
    output = show.output()
    loaded = load(model, mapped=True)
    filters = Filters(where=where) if where else None
    if text is not None:
        _print_described(output, loaded.name, text, loaded.similar_to(text, k, filters=filters))
        return
    item_id = item if title is None else _titled(title, loaded, output)
    row = loaded.data.items.rows(item_id, what="item")
    table = loaded.similar_items(item_id, k, filters=filters, run=compute.run(output))
    name = loaded.data.catalogue.titles(row)[0] or item_id
    output.line(f"Most like {name}:")
    output.table(ranked_rows(table))
    output.emit(
        command="similar",
        model=loaded.name,
        item_id=loaded.data.items.ids(row)[0],
        title=name,
        similar=table.to_dicts(),
    )


def _print_described(output: Output, model: str, text: str, found: RankedTable) -> None:
    output.line(
        "Most like what was described:" if len(found) else "Nothing shares a word with that."
    )
    output.table(ranked_rows(found))
    output.emit(command="similar", model=model, text=text, similar=found.to_dicts())


def _titled(words: str, model: Recommender, output: Output) -> Any:
    """The id of the item whose title holds the words; of several the first, and the others are
    named.
    """
    hits = model.data.catalogue.search(words, limit=5)
    if not len(hits):
        raise UnknownIdError(f"no title holds all of the words {words!r}; try fewer.")
    if len(hits) > 1:
        others = "; ".join(str(title) for title in model.data.catalogue.titles(hits[1:]))
        output.progress.say(f"other titles with these words: {others}")
    return model.data.items.ids(hits)[0]
