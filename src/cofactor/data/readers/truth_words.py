"""Words for yes and no, as people, spreadsheets and databases write them."""

from __future__ import annotations

import re
import unicodedata

_YES = """true yes t y ja j oui si sim s da tak evet ano igen kylla ναι да はい 是 예 네 wahr vrai
    verdadero verdadeiro vero prawda pravda истина waar dogru sant on 真 نعم हाँ हां"""
_NO = """false no n f nein non nao nie hayir nej nee nem ei ne οχι нет いいえ 否 아니오 아니요
    falsch faux falso falsz ложь onwaar yanlis falskt off 假 لا नहीं"""
# Thumbs and ticks: what is for, and what is against.
_FOR, _AGAINST = (
    ("👍", "thumbs up", "thumbsup", "thumb up", "up", "like", "liked", "✓", "✔", "✅", "☑"),
    (
        "👎",
        "thumbs down",
        "thumbsdown",
        "thumb down",
        "down",
        "dislike",
        "disliked",
        "✗",
        "✘",
        "❌",
        "☐",
    ),
)
# What colours a sign, or says that it is a picture.
_COLOURS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


def plain(word: str) -> str:
    """Return a word (of a longer text the beginning) in small letters, without accents."""
    word = _COLOURS.sub("", word.strip()[:20])
    parts = unicodedata.normalize("NFKD", word.casefold().replace("ı", "i"))
    return "".join(c for c in parts if not unicodedata.combining(c)).replace("ł", "l")


# Plain words -> 1 and 0.
TRUTH = {
    **dict.fromkeys(map(plain, (*_YES.split(), *_FOR)), 1.0),
    **dict.fromkeys(map(plain, (*_NO.split(), *_AGAINST)), 0.0),
}
