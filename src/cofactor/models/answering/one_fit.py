"""Calls that answer from one fit: where another thread fits the model meanwhile, they say so."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from cofactor.base.errors import NotFittedError

Call = TypeVar("Call", bound=Callable[..., Any])


def of_one_fit(call: Call) -> Call:
    """Wrap a method of a model: what it returns comes from one fit, never from two of which one
    began during the call.

    Raises
    ------
    NotFittedError
        If the model isn't fitted, or was fitted again, or took other settings, during the call.
    """

    @functools.wraps(call)
    def guarded(model: Any, *arguments: Any, **options: Any) -> Any:
        cache = model._cache  # a new one with each fit
        try:
            _ = model.data  # or it isn't fitted
            answer = call(model, *arguments, **options)
        except Exception as error:
            if model._cache is cache:
                raise
            raise _again(model) from error
        if model._cache is not cache:
            raise _again(model)
        return answer

    return guarded  # type: ignore[return-value]


def _again(model: Any) -> NotFittedError:
    return NotFittedError(
        f"this {type(model).__name__} was fitted again by another thread during the call; ask again"
        " when it is done, or fit a clone() and replace the model by it."
    )
