"""How models and their answers look in a notebook."""

from __future__ import annotations

import inspect
from typing import Any

from cofactor.base import markup

# Models show themselves through this module, so it can't import their types.
_LINES = 20
_REASONS = 10


def model_html(model: Any) -> str:
    """Return a model as a diagram that unfolds: what it is, its settings, what it was fitted on."""
    return markup.framed(_block(model, unfolded=True))


def _block(model: Any, *, unfolded: bool = False) -> str:
    fitted = model.is_fitted
    summary = f"<b>{markup.safe(type(model).__name__)}</b> " + markup.tag(
        "fitted" if fitted else "not fitted", good=fitted
    )
    said = (inspect.getdoc(type(model)) or "").partition("\n\n")[0]
    summary += f" <small>{markup.code_in(' '.join(said.split()).rstrip('.'))}</small>"
    parts = [_settings(model)]
    # Models that are made of models show them inside, as they are connected.
    parts += [_block(part) for part in getattr(model, "parts", ())]
    if fitted:
        data = model.data
        parts.append(
            f"<div>fitted on {markup.safe(data.source)}: {data.n_users:,} users, {data.n_items:,}"
            f" items, {len(data):,} interactions</div>"
        )
        if model.curve is not None and len(model.curve):
            parts.append(f"<div>{markup.safe(repr(model.curve))}</div>")
        parts.append(markup.notes(model.notes))
    return markup.folded(summary, "".join(parts), unfolded=unfolded)


def _settings(model: Any) -> str:
    """The settings that were changed, and folded those that are as usual."""
    specs, given = model.Config.settings(), model.config.changed()
    changed: list[dict[str, Any]] = []
    usual: list[dict[str, Any]] = []
    for name, value in model.config.to_params().items():
        line = {"setting": name, "value": repr(value), "meaning": specs[name].doc}
        (changed if name in given else usual).append(line)
    shown = markup.table(changed) if changed else ""
    if not usual:
        return shown
    rest = f"{len(usual)} settings as by default" if changed else f"all {len(usual)} settings"
    return shown + markup.folded(markup.safe(rest), markup.table(usual))


def ranked_html(table: Any, without: str = "") -> str:
    """Return the first lines of a ranking, each score with a bar; perhaps without a column."""
    shown = table.to_arrow()
    shown = shown.drop_columns([without]) if without else shown
    rows = shown.slice(0, _LINES).to_pylist()
    scores = [row["score"] for row in rows]
    most = max((abs(s) for s in scores), default=0.0) or 1.0
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td>{markup.safe(markup.shortened(v))}</td>" for n, v in row.items() if n != "score"
        )
        + f"<td class='n'>{row['score']:.4f}</td><td>{_bar(row['score'] / most)}</td></tr>"
        for row in rows
    )
    names = "".join(
        f"<th scope='col' class='{'n' if n == 'score' else ''}'>{markup.safe(n)}</th>"
        for n in shown.column_names
    )
    notes = [f"… {len(table) - _LINES:,} more lines"] if len(table) > _LINES else []
    if table.cold_share:
        notes.append(f"{table.cold_share:.0%} of the lines are items without interactions")
    said = "".join(f"<div class='soft'>{note}</div>" for note in notes)
    head = f"<thead><tr>{names}<th></th></tr></thead>"
    return markup.framed(f"<table>{head}<tbody>{lines}</tbody></table>{said}")


def explanation_html(one: Any) -> str:
    """Return the reasons with bars: what each past item, word or feature adds to the score."""
    title = markup.heading(str(one.title or one.item), f"score {one.score:.4g}")
    parts = [title, _reasons(one.reasons[:_REASONS])]
    hidden = len(one.reasons) - _REASONS
    more = f"… {hidden} more past items; " if hidden > 0 else ""
    parts.append(f"<div class='soft'>{more}{one.rest:+.4f} belongs to no single item</div>")
    if one.features:
        parts += [markup.heading("By its words and features"), _reasons(one.features[:_REASONS])]
    return markup.framed(*parts)


def _reasons(reasons: tuple[Any, ...]) -> str:
    most = max((abs(r.contribution) for r in reasons), default=0.0) or 1.0
    lines = "".join(
        f"<tr><td>{markup.safe(r.title or r.id)}</td><td class='n'>{r.contribution:+.4f}</td>"
        f"<td>{_bar(r.contribution / most)}</td></tr>"
        for r in reasons
    )
    return f"<table><tbody>{lines}</tbody></table>"


def _bar(share: float) -> str:
    colour = "0,114,178" if share >= 0 else "213,94,0"
    width = max(1, round(90 * min(abs(share), 1.0)))
    return f"<div style='width:{width}px;height:9px;background:rgba({colour},.55)'></div>"
