"""Properties that are computed once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")

if sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(Generic[Value]):
        """A property that is computed once and kept with its object; by two threads at once, twice.

        That of Python 3.11 holds a lock, the same for all objects, while it computes: threads wait
        for each other's objects, and a process that is forked meanwhile waits for ever.
        """

        def __init__(self, function: Callable[[Any], Value]) -> None:
            self.function = function
            self.name = function.__name__
            self.__doc__ = function.__doc__

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Value: ...
        def __get__(self, instance: object | None, owner: type) -> Self | Value:
            if instance is None:
                return self
            value: Value = self.function(instance)
            kept: Value = instance.__dict__.setdefault(self.name, value)
            return kept


__all__ = ["cached_property"]
