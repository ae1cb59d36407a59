"""What is said where no column is a user's or an item's: which one may be, or what the table is."""

from __future__ import annotations

from collections.abc import Sequence

from cofactor.base.names import nearest
from cofactor.data.readers import name_words
from cofactor.data.readers.usual_names import DESCRIBING, USUAL
from cofactor.data.title_names import letters_of

MELT = (
    " If the table has a column for each item, write a row for each user and item instead"
    " (pandas.melt does)."
)
# Columns from which on a table without an item's may have one for each item, and of those that no
# word says anything of.
_WIDE, _UNKNOWN = 4, 3
# Columns that messages name.
_SHOWN = 100
# What holds several items at once, and stands for a user where there is none.
_BASKET_WORDS = """order transaction invoice basket cart receipt ticket bestellung bestellnr
    rechnung bon commande facture panier pedido factura compra scontrino ordine zamowienie playlist
    pid"""
_BASKETS = frozenset(_BASKET_WORDS.split())
_TITLES = ("title", "name", "trackname", "track")
# What may name the users where nothing says so.
_WHO = (
    "author",
    "autor",
    "auteur",
    "ip",
    "ipaddress",
    "phone",
    "phonenumber",
    "telefon",
    "actorid",
)
# What may name the items where nothing says so.
_NAMING = (
    *("likes", "liked", "favorites", "favourites", "history", "purchases", "wishlist", "bookmarks"),
    *("title", "name", "designation", "bezeichnung", "objectid", "objectname"),
    *("url", "pageurl", "pagepath", "page", "path"),
)


def lacking(role: str, names: Sequence[str], *, of_items: bool) -> str:
    """Return the sentences for a role that no column has.

    Parameters
    ----------
    role
        ``"user"``, ``"item"``, ``"value"`` or ``"time"``.
    names
        The columns, in order.
    of_items
        Whether a column is the items'.
    """
    listed = ", ".join(map(repr, names[:_SHOWN])) + (" ..." if len(names) > _SHOWN else "")
    close = _close(role, names)
    hint = f"perhaps {role}={close[0]!r}?" if close else f"give it as {role}=NAME."
    said = (
        f"no column is named like {'an' if role == 'item' else 'a'} {role}'s; the columns are"
        f" {listed}: {hint}"
    )
    return said + _what_it_is(role, names, of_items)


def _what_it_is(role: str, names: Sequence[str], of_items: bool) -> str:
    """What the table may be instead, with the cure; "" if nothing shows it."""
    unknown = [name for name in names if not _says_anything(name)]
    melt = MELT if len(names) >= _WIDE and len(unknown) >= _UNKNOWN else ""
    if role != "user" or any(name_words.mentions(name, "user") for name in names):
        return melt if role in ("user", "item") else ""
    basket = next((name for name in names if _holds_baskets(name)), None)
    if basket is not None and of_items:
        return f" user={basket!r} makes each of these a user."
    if of_items or any(letters_of(name) in _TITLES for name in names):
        return (
            " If it is one person's own list, put it in a folder that names them (user=ID), beside"
            f" those of others: a model needs many users.{melt}"
        )
    return melt


def _holds_baskets(name: str) -> bool:
    said = {*name_words.words(name)}
    return bool(said & _BASKETS) and said <= _BASKETS | name_words.ID


def _says_anything(name: str) -> bool:
    own = letters_of(name)
    if own in DESCRIBING or any(own in usual for usual in USUAL.values()):
        return True
    said = {*name_words.words(name)}
    known = (name_words.USER, name_words.ITEM, name_words.VALUE, name_words.TIME, name_words.ID)
    return any(said & words for words in known) or not said


def _close(role: str, names: Sequence[str]) -> list[str]:
    """The columns that may be the role's, the likeliest first."""
    close = [name for name in names if name_words.mentions(name, role)]
    if role == "user":
        close += [name for name in names if letters_of(name) in _WHO or name == "_id"]
    if role == "item":
        close += [name for name in names if letters_of(name) in _NAMING]
        close += [name for name in names if name_words.is_linked(name)]
    close.sort(key=lambda name: not (name_words.is_id(name) or letters_of(name) == "title"))
    some = [name for name in names[:_SHOWN] if letters_of(name) != "id"]
    return close + [
        name for usual in USUAL[role][:6] for name in nearest(usual, some, 1, cutoff=0.75)
    ]
