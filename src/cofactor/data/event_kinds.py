"""Kinds of events that are no sign of liking: an answer of the service and the next training take
an event the same way.
"""

from __future__ import annotations

# Kinds that say nothing of liking, and all that aren't a sign of it: left out unless they are
# named. The service's defaults are these, so that an answer and the next training take an event the
# same way.
SILENT = frozenset({"impression"})
AGAINST = SILENT | {"dislike", "skip", "hide", "return"}
