"""The role of a column by the words of its name, where the whole name is no usual one: a word for
who, what or when, and beside it nothing but words for ids, numbers and "of".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_USER = """user users customer client kunde kunden benutzer nutzer utilisateur usuario cliente
    utente patron borrower member membership reader subscriber listener visitor buyer
    shopper guest account profile klant kund klienta musteri asiakas πελατης 用户 客户 会员 会員
    顧客 고객 회원 العميل adherent emprunteur abonne lecteur leser mitglied consumer contact
    email mail"""
_ITEM = """item items product produit produkt artikel article articulo prodotto produto sku asin
    isbn ean book livre buch bib biblio movie film song track video podcast game course
    offer material goods articolo produktu urun tuote προιον 商品 상품 المنتج"""
_VALUE = """rating ratings quantity quantite menge anzahl cantidad qty quantita quantidade stars
    score qtd mnozstvi maara ποσοτητα 数量 수량 الكمية"""
_ACT = """order purchase commande achat bestellung bestell kauf checkout loan borrow borrowed
    issue issued pret emprunt ausleihe transaction event invoice facture rechnung visit play
    played view viewed listen rated review reviewed created creation sale sold paid added
    pedido compra ordine acquisto server collector received sent updated added
    listened clicked streamed derived original ship close create bestel zamowienia"""
_ID = """id ids no nr num number numero nummer nbr code key barcode uri ref reference referenz
    identifiant identifier identificador codigo codice cod kodu 编号 番号 コード 번호 코드 pseudo
    record hash uuid guid"""
_TIME = """date datetime time timestamp ts datum uhrzeit zeit fecha data heure at on utc
    tstamp"""
_DATE = "date datum fecha data dato tarih dia jour giorno tag day дата 日期 日付 날짜"
_CLOCK = """time uhrzeit zeit heure hora ora orario tijd tid czas saat clock hour timeofday время
    час 时间 时刻 時刻 時間 시간 시각"""
_FILL = "de du d la le les des der the of per par per and my your effective"


def _plain(text: str) -> str:
    """Text in lower case, without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parts if not unicodedata.combining(c))


# What stands at the end of a compound word: Kundennr, Bestelldatum, Artikelnummer, 用户编号.
_COMPOUND = re.compile(
    rf"(?<=[^\W\d_]{{4}})(nr|nummer|datum)\b|(?<=\w)({_plain('编号|番号|コード|번호|코드')})\b"
)
USER, ITEM, VALUE, ACT, ID, TIME, DATE, CLOCK, FILL = (
    frozenset(_plain(words).split())
    for words in (_USER, _ITEM, _VALUE, _ACT, _ID, _TIME, _DATE, _CLOCK, _FILL)
)
# A number (``track no``) may count something else.
_SURELY_ID = frozenset(("id", "sku", "code", "key", "uuid", "guid", "ean", "asin", "isbn"))
# Words for who, what, when and how much; and the words that may stand beside them.
_ROLES = {
    "user": (USER, ID | {"name"}),
    "item": (ITEM, ID | {"name", "title", "titel", "titre", "titulo", "titolo"}),
    "value": (VALUE, ITEM | ACT),
    "time": (TIME, ACT),
}


@lru_cache(4096)
def words(name: str) -> tuple[str, ...]:
    """Return a name's words in lower case without accents, without what is in brackets."""
    bare = re.sub(r"\(.*?\)|\[.*?\]", " ", name)
    bare = re.sub(r"#|№|\b[Nn][°º]", " no ", bare)
    bare = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
    return tuple(re.findall(r"[^\W_]+", _COMPOUND.sub(r" \1\2", _plain(bare).replace("_", " "))))


@lru_cache(4096)
def role_of(name: str) -> str | None:
    """Return the one role that a name's words say, or None."""
    said = set(words(name)) - FILL
    found = [
        role
        for role, (nouns, beside) in _ROLES.items()
        # A day alone has its usual names; "order date" says which day.
        if said & nouns and said <= nouns | beside and (role != "time" or said & beside)
    ]
    return found[0] if len(found) == 1 else None


def mentions(name: str, role: str) -> bool:
    """Return whether a word of a name says a role, whatever stands beside it."""
    nouns, _ = _ROLES[role]
    return bool(set(words(name)) & nouns)


def with_id(name: str, others: Iterable[str]) -> str | None:
    """Return the other name that says the same with a word for ids: ``Product SKU`` beside
    ``Product``, which holds titles then; None if there is none.
    """
    base = set(words(name))
    return next((o for o in others if base < set(words(o)) <= base | _SURELY_ID), None)


def is_dated(name: str) -> bool:
    """Return whether a word of a name says that it holds dates, in any language."""
    return bool(set(words(name)) & DATE) or "date" in name.lower()


def is_clock(name: str) -> bool:
    """Return whether a name's words say that it holds times of day, and no span of time."""
    said = set(words(name)) - FILL
    return bool(said & CLOCK) and said <= CLOCK | ACT | DATE | {"start", "day", "local", "utc"}


def is_id(name: str) -> bool:
    """Return whether a word of a name says that it holds ids."""
    return bool(set(words(name)) & ID)
