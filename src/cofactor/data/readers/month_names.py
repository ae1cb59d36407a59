"""Months and zones as people and programs write them in dates."""

from __future__ import annotations

import unicodedata

# Each line has the months of a language in order, or "-" where the word means another month
# elsewhere (Polish and Croatian: listopada).
_LINES = """january february march april may june july august september october november december
jan feb mar apr may jun jul aug sep oct nov dec
januar februar märz april mai juni juli august september oktober november dezember
jänner feber mrz apr mai jun jul aug sept okt nov dez
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
janv févr mars avr mai juin juil août sept oct nov déc
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
ene feb mär abr may jun jul ago setiembre oct nov dic
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
jan fev mar abr mai jun jul ago set out nov dez
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
gen feb mar apr mag giu lug ago set ott nov dic
januari februari maart april mei juni juli augustus september oktober november december
jan febr mrt apr mei jun jul augusti sept okt nov dec
januar februar marts april maj juni juli august september oktober november desember
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października - grudnia
ledna února března dubna května června července srpna září října listopadu prosince
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
января февраля марта апреля мая июня июля августа сентября октября ноября декабря"""


def _numbers() -> dict[str, int]:
    found: dict[str, int] = {}
    for line in _LINES.splitlines():
        for number, word in enumerate(line.split(), 1):
            bare = unicodedata.normalize("NFKD", word.replace("ı", "i"))
            plain = "".join(c for c in bare if not unicodedata.combining(c))
            found |= {word: number, plain: number}
    found.pop("-")
    return found


# In small letters, with and without accents; of no two languages with different months.
MONTHS = _numbers()
# Hours ahead of UTC of names that mean one zone (CST, IST and BST don't).
ZONES = {
    **dict.fromkeys(("", "Z", "z", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("CET", "WEST"), 1),
    **dict.fromkeys(("CEST", "EET"), 2),
    **dict.fromkeys(("EST", "CDT"), -5),
    **dict.fromkeys(("MST", "PDT"), -7),
    "EEST": 3,
    "EDT": -4,
    "MDT": -6,
    "PST": -8,
}
