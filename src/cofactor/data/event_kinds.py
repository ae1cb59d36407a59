"""Kinds of events that are no sign of liking: an answer of the service and the next training take
an event the same way.
"""

from __future__ import annotations

# Kinds that tell nothing of liking, and all that are no sign of it: left out unless they are asked
# for by name.
SILENT = frozenset({"impression"})
AGAINST = SILENT | {"dislike", "skip", "hide", "return"}
