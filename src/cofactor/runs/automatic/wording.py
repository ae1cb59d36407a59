"""Why auto chose what it chose, in a paragraph and a table."""

from __future__ import annotations

import math
from typing import Any

from cofactor.evaluation import significance
from cofactor.metrics.table import Metric
from cofactor.runs.automatic.blending import Blended
from cofactor.runs.automatic.families import BASELINES
from cofactor.runs.automatic.prior import usually_better
from cofactor.runs.automatic.race import Race
from cofactor.runs.automatic.trials import BEHIND, COMPILING, INTERRUPTED, FamilyTrial, Lane
from cofactor.runs.words import counted, listed, p_fact

_CONFIDENCE = 0.95
# The share of the budget from which on the time for compiling kernels is mentioned.
_MUCH = 0.1
# Seconds of the budgets that are recommended where one was too short.
_BUDGETS = (120, 300, 600, 1800, 3600)


def rows(race: Race, blend: Blended | None) -> list[dict[str, Any]]:
    """Return a line for each family, the best first."""
    lines = [_row(lane, race) for lane in race.leaders]
    shown = {line["model"] for line in lines}
    lines += [_row(lane, race) for lane in race.lanes if lane.family.name not in shown]
    if blend is not None:
        line = {
            "model": blend.label,
            "value": round(blend.value, 5),
            "settings": "weights " + ", ".join(f"{w:.2g}" for w in blend.config.weights),
            "tried": 1,
            "seconds": None,
            "note": _verdict(blend),
        }
        lines.insert(0 if blend.better else 1, line)
    return lines


def paragraph(race: Race, blend: Blended | None, metric: Metric) -> str:
    """Return the paragraph."""
    best = race.choice
    assert best is not None
    said = [warning(race), _choice(race, blend, metric, best), _how(race, best), _dropped(race)]
    if race.skipped:
        said.append(_skipped(race))
    if race.interrupted:
        said.append("The search was interrupted; this is the best that it had found.")
    return " ".join(filter(None, said))


def warning(race: Race) -> str:
    """Say so where the budget was too short for a choice that is worth much; "" elsewhere."""
    budget = race.allowance.seconds
    tried = [lane for lane in race.lanes if lane.attempts]
    beyond = [lane for lane in tried if lane.family.name not in BASELINES]
    lacking = [lane for lane in race.lanes if lane.lacks_time]
    if lacking and not beyond:
        names = listed([lane.family.name for lane in tried])
        said = f"The choice is worth little: in {budget:g} s nothing but {names} could be tried"
    elif len(lacking) >= max(1, len(beyond)):
        n = f"{len(tried)} of {len(race.lanes)} models"
        said = f"The choice is worth little: in {budget:g} s only {n} could be tried"
    elif beyond and not race.few and not race.interrupted and _defaults_only(tried):
        said = f"In {budget:g} s there was time for the models' default settings only"
    else:
        return ""
    more = next((one for one in _BUDGETS if one >= 2 * budget), 2 * round(budget))
    cure = f"ive it more time (budget={more})."
    if race.allowance.compiled > COMPILING * budget:
        return f"{said}, since kernels had to be compiled, once on a machine. Try again, or g{cure}"
    return f"{said}. G{cure}"


def _defaults_only(tried: list[Lane]) -> bool:
    return all(len(lane.attempts) == 1 for lane in tried) and any(lane.waiting for lane in tried)


def _choice(race: Race, blend: Blended | None, metric: Metric, best: FamilyTrial) -> str:
    name, value = best.family.name, abs(best.score)
    settings = _settings(best)
    alone = f"{name} ({settings})" if settings else f"{name} with its default settings"
    base = next((lane for lane in race.lanes if lane.family.name in BASELINES), None)
    other = None if base is None else base.best(best.whole) or base.best()
    against = ""
    # Of a baseline that is ahead, `_how` says why it wasn't chosen.
    if other is not None and base is not None and other is not best and other is not race.best:
        against = (
            f" {base.family.name} reaches {abs(other.score):.4f}{_doubt(best, other, metric)}."
        )
    if blend is None:
        return f"{alone} was chosen: {metric} {value:.4f} on the validation part.{against}"
    p = p_fact(blend.p)
    if blend.better:
        return (
            f"A {blend.label} was chosen: {metric} {blend.value:.4f} on the validation part,"
            f" {value:.4f} for {alone}, the best model alone. On other users than those by whom its"
            f" weights were chosen it is significantly better than that model ({p}).{against}"
        )
    isnt = f"isn't significantly better ({p})" if blend.gain > 0 else "isn't better"
    return (
        f"{alone} was chosen: {metric} {value:.4f} on the validation part. A {blend.label}"
        f" {isnt}.{against}"
    )


def _doubt(best: FamilyTrial, base: FamilyTrial, metric: Metric) -> str:
    """Say so where the best model isn't significantly better than the baseline."""
    gains = best.less(base, str(metric))
    if gains is None:
        return ""
    p, name = significance.p_value(gains, "t"), best.family.name
    if math.isnan(p):
        return ""
    if p >= 1 - _CONFIDENCE:
        return f"; nothing shows that {name} is better ({p_fact(p)})"
    if metric.sign * float(gains.mean()) > 0:
        return ""
    # An error of all ratings together may be lower though most users' own is higher.
    return f"; in the mean over users it is better than {name} ({p_fact(p)})"


def _how(race: Race, best: FamilyTrial) -> str:
    tried = sum(len(lane.attempts) for lane in race.lanes)
    families = sum(bool(lane.attempts) for lane in race.lanes)
    said = (
        f"{counted(tried, 'setting')} of {counted(families, 'model')}"
        f" {'were' if tried != 1 else 'was'} tried in {_seconds(race.allowance.passed)}."
    )
    compiled = race.allowance.compiled
    if compiled > _MUCH * race.allowance.seconds:
        said += f" Compiling kernels, once on a machine, took {_seconds(compiled)} of that."
    share = race.allowance.busy_share
    if share is not None:
        said += f" Other programs used the machine: the search had {share:.0%} of one processor,"
        said += " and would have tried more alone."
    if race.sampled:
        n = int((race.small.train.user_counts > 0).sum())
        said += f" Most of them were fitted on a sample of {n:,} users"
        said += "." if best.whole else ", the chosen one too, since all would take too long."
    users = counted(0 if best.result is None else best.result.n_users, "user")
    if race.few:
        said += f" Only {users} decided: most differences are chance, and no settings but"
        said += " the defaults were tried."
    ahead = race.best
    if ahead is not None and ahead is not best:
        name, given = ahead.family.name, race.given
        said += f" {name} reaches {abs(ahead.score):.4f}, but {users} can't show"
        said += f" that it is better than {best.family.name}"
        usually = usually_better(
            best.family.name, name, rates=given.rates, new_items=given.new_items
        )
        said += ", which usually is the better model." if usually else "."
    return said


def _seconds(passed: float) -> str:
    return f"{passed:.0f} s" if passed >= 10 else f"{max(passed, 0.1):.1f} s"


def _dropped(race: Race) -> str:
    reasons: dict[str, list[str]] = {}
    for lane in race.lanes:
        if lane.dropped and lane.dropped not in (BEHIND, INTERRUPTED):
            reasons.setdefault(lane.dropped, []).append(lane.family.name)
    said = [f"Left out: {', '.join(names)} ({why})." for why, names in reasons.items()]
    brief = [lane.family.name for lane in race.lanes if lane.shortened and len(lane.attempts) == 1]
    if brief:
        said.append(f"Tried with less than the defaults, for lack of time: {listed(brief)}.")
    return " ".join(said)


def _skipped(race: Race) -> str:
    """What wasn't tried; what is meant for another task goes without saying."""
    reasons: dict[str, list[str]] = {}
    for name, why in race.skipped.items():
        if not why.startswith("predicts"):
            reasons.setdefault(why.rstrip("."), []).append(name)
    shown = "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())
    return f"Not tried: {shown}." if shown else ""


def _row(lane: Lane, race: Race) -> dict[str, Any]:
    best = lane.best(True) or lane.best()
    note = "" if lane.dropped == BEHIND else lane.dropped  # the value says that
    if best is not None and race.sampled and not best.whole:
        note = f"on a sample; {note}" if note else "on a sample"
    return {
        "model": lane.family.name,
        "value": None if best is None else round(abs(best.score), 5),
        "settings": "" if best is None else _settings(best),
        "tried": len(lane.attempts),
        "seconds": round(sum(a.seconds for a in lane.attempts), 2),
        "note": note,
    }


def _settings(attempt: FamilyTrial) -> str:
    words = attempt.config.words()
    return ", ".join(w for w in words if not w.startswith("compare_without_features="))


def _verdict(blend: Blended) -> str:
    return "significantly better than its best model" if blend.better else "not significant"
