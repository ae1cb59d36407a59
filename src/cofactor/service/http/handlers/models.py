"""The model: what it is, which versions there are, promotion and the way back; and its items as
a map.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from cofactor.artifact.card import card_of
from cofactor.artifact.format import TENSORS, Manifest
from cofactor.base.errors import CofactorError
from cofactor.service.answering.item_map import project
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route, slowly
from cofactor.service.replies import MapOut, ModelOut, PromotedOut, RetrainingOut, VersionOut
from cofactor.service.wire import MapQuery, Nothing, PromoteRequest


@slowly
def show(context: Context, path: dict[str, str], request: Nothing) -> ModelOut:
    """Return the model that answers, all versions, and what the model can do."""
    models = context.models
    loaded, folder, held = models.current, models.folder, set(models.held)
    versions = []
    for version in folder.versions():
        about: dict[str, Any] = {
            "version": version,
            "current": version == loaded.version,
            "loaded": version in held,
        }
        try:
            versions.append(_describe_version(folder.manifest(version), **about))
        except CofactorError as error:
            versions.append(VersionOut(**about, problem=str(error)))
    try:
        before = folder.pointer().before
    except CofactorError:
        before = []
    return ModelOut(
        current=_describe_version(
            loaded.manifest, loaded.version, True, True, problem=models.problem
        ),
        versions=versions,
        can=loaded.can,
        columns=loaded.model.data.catalogue.column_names,
        can_promote=not folder.single,
        folder=folder.path.name,
        previous=before[0] if before else None,
        promotion=models.promotion,
    )


# Where files and databases lie is nobody's business outside.
_INSIDE = ("reading",)


def _describe_version(
    manifest: Manifest, version: str, current: bool, loaded: bool, problem: str | None = None
) -> VersionOut:
    facts, card = manifest.data, card_of(manifest)
    data = {
        "source": facts.source.rpartition("/")[2],
        "users": facts.n_users,
        "items": facts.n_items,
        "interactions": facts.n_interactions,
        "fingerprint": facts.fingerprint,
    }
    return VersionOut(
        version=version,
        current=current,
        loaded=loaded,
        model=manifest.model,
        created=manifest.created,
        config=manifest.config,
        data=data,
        metrics=manifest.metrics,
        run={name: fact for name, fact in manifest.run.items() if name not in _INSIDE},
        split=facts.split,
        licence=card.licence,
        limits=card.limits,
        card=card.to_markdown(),
        problem=problem,
    )


async def promote(context: Context, path: dict[str, str], request: PromoteRequest) -> Any:
    """Let a version answer, after checks; 202 where these take longer than a request may."""
    promoted = await context.models.promote(
        request.version, force=request.force, patience=context.settings.timeout / 2
    )
    if promoted.status == "promoted":
        return promoted
    return Response(msgspec.json.encode(promoted), 202, media_type="application/json")


async def roll_back(context: Context, path: dict[str, str], request: Nothing) -> PromotedOut:
    """Let the version before answer again."""
    return await context.models.roll_back()


async def retraining(context: Context, path: dict[str, str], request: Nothing) -> RetrainingOut:
    """Return when the models are retrained, and what the last time came to."""
    planned = context.retraining
    if planned is None:
        return RetrainingOut(schedule=None, running=False)
    last = None if planned.last is None else msgspec.to_builtins(planned.last)
    return RetrainingOut(
        schedule=str(planned.settings.schedule), running=planned.running, last=last
    )


async def item_map(context: Context, path: dict[str, str], request: MapQuery) -> MapOut:
    """Return the items as points of a plane, the most popular first."""
    loaded = context.models.current
    # A version may have been saved again under its name.
    of = f"{loaded.version}:{loaded.manifest.files[TENSORS].sha256}:"
    key = f"{of}{request.limit}:{request.column}"
    kept = context.maps.get(key)
    if kept is None or kept.outdated(loaded):
        made = await context.slowly(project, loaded, request.limit, request.column)
        for stale in [old for old in context.maps if not old.startswith(of)] + list(context.maps)[
            8:
        ]:
            context.maps.pop(stale, None)
        context.maps[key] = made
    # Twenty thousand points take ten milliseconds to be written.
    return await context.slowly(context.maps[key].shown, loaded)


ROUTES = [
    Route(
        "GET",
        "/v1/model",
        "read",
        show,
        "The model that answers, its versions, and what it can do.",
    ),
    Route(
        "POST",
        "/v1/model/promote",
        "admin",
        promote,
        "Let a version answer, after checks.",
        gives=PromotedOut,
        goes_on=True,
    ),
    Route("POST", "/v1/model/rollback", "admin", roll_back, "Let the version before answer again."),
    Route(
        "GET",
        "/v1/retraining",
        "read",
        retraining,
        "Scheduled retraining, and what the last one came to.",
    ),
    Route("GET", "/v1/map", "read", item_map, "The items as points of a plane."),
]
