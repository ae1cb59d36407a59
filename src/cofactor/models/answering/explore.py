"""A widget to explore a model in a notebook: a user or a history, what is recommended, and why."""

from __future__ import annotations

from typing import Any

from cofactor.base import checks, markup
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.extras import require
from cofactor.models.answering.model_html import explanation_html, ranked_html

# Ids that the field for a user offers while one types; any other may be typed too.
_OFFERED = 500
_SHOWN = 12


class ModelExplorer:
    """Recommendations, reasons and neighbours, side by side.

    Parameters
    ----------
    model
        A fitted model.
    k
        How many items are recommended at first.

    Raises
    ------
    MissingExtraError
        If ipywidgets isn't installed.
    """

    def __init__(self, model: Any, k: int = 10) -> None:
        checks.integer(k, "k", low=1)
        widgets = require("ipywidgets", purpose="explore()")
        self.model = model
        ids = model.data.users.ids(range(min(_OFFERED, model.data.n_users)))
        wide = {"width": "320px"}
        self.user = widgets.Combobox(
            value=str(ids[0]),
            options=[str(one) for one in ids],
            description="User",
            continuous_update=False,
            layout=wide,
        )
        self.history = widgets.Text(
            placeholder="or a history: titles or ids; separated by ;",
            description="History",
            continuous_update=False,
            layout={"width": "460px"},
        )
        self.k = widgets.IntSlider(
            k, 1, max(50, k), description="Items", continuous_update=False, layout=wide
        )
        self.answers = widgets.Select(rows=_SHOWN, layout={"width": "360px"})
        self.past, self.reasons = widgets.HTML(), widgets.HTML()
        self.neighbours, self.message = widgets.HTML(), widgets.HTML()
        asking = widgets.HBox([self.user, self.history, self.k], layout={"flex_flow": "row wrap"})
        columns = [
            self._column(widgets, "History", self.past),
            self._column(widgets, "Recommended", self.answers),
            self._column(widgets, "Because of", self.reasons),
            self._column(widgets, "Similar items", self.neighbours),
        ]
        shown = widgets.HBox(columns, layout={"flex_flow": "row wrap"})
        self.widget = widgets.VBox([asking, self.message, shown])
        for one in (self.user, self.history, self.k):
            one.observe(self._ask, "value")
        self.answers.observe(self._choose, "value")
        self._ask()

    def _column(self, widgets: Any, title: str, body: Any) -> Any:
        return widgets.VBox([widgets.HTML(f"<b>{title}</b>"), body], layout={"margin": "0 14px"})

    def _ask(self, change: Any = None) -> None:
        """Show what is recommended to the user or to the history that stands in the fields."""
        try:
            self._request = self._question()
            table = self.model.recommend(k=self.k.value, **self._request)
        except CofactorError as error:
            self.message.value = f"<span style='color:#b3261e'>{markup.safe(error)}</span>"
            return
        self.message.value = ""
        self.past.value = self._past()
        lines = table.to_dicts()
        names = [str(line.get("title") or line[table.answer]) for line in lines]
        self.answers.options = [
            (f"{n}. {name}", line[table.answer])
            for n, (name, line) in enumerate(zip(names, lines, strict=True), 1)
        ]
        self.answers.value = table.ids[0] if len(table) else None
        self._choose()

    def _question(self) -> dict[str, Any]:
        """The arguments of recommend: the history if there is one, else the user."""
        words = [word.strip() for word in self.history.value.split(";") if word.strip()]
        if words:
            return {"history": [self._item(word) for word in words]}
        return {"users": self.user.value}

    def _item(self, word: str) -> Any:
        """The item of an id, or else of the words of a title."""
        data = self.model.data
        row = data.items.find_one(word)
        if row < 0 and data.catalogue.title_column is not None:
            found = data.catalogue.search(word, 1)
            row = int(found[0]) if len(found) else -1
        if row < 0:
            raise ArgumentError(f"no item has the id or the title {word!r}.")
        return data.items.ids([row])[0]

    def _past(self) -> str:
        data = self.model.data
        if "history" in self._request:
            rows = data.items.rows(self._request["history"], what="item")
        else:
            user = data.users.rows(self._request["users"], what="user")
            rows = data.histories(user).item_rows[::-1]
        titles = data.catalogue_titles(rows[:_SHOWN])
        more = f"<li>… {len(rows) - _SHOWN:,} more</li>" if len(rows) > _SHOWN else ""
        lines = "".join(f"<li>{markup.safe(title)}</li>" for title in titles)
        return f"<ul style='margin:0;line-height:1.5'>{lines}{more}</ul>"

    def _choose(self, change: Any = None) -> None:
        """Show the reasons for the chosen item, and its neighbours."""
        item, model = self.answers.value, self.model
        self.reasons.value = self.neighbours.value = ""
        if item is None:
            return
        if model.traits.explains:
            whose = {"user" if name == "users" else name: v for name, v in self._request.items()}
            self.reasons.value = explanation_html(model.explain(item=item, **whose))
        else:
            self.reasons.value = "this model isn't linear in the history"
        if model.traits.finds_similar:
            self.neighbours.value = ranked_html(model.similar_items(item, k=8), "item_id")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)
