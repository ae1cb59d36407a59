"""The role of a column by the words of its name, where the whole name isn't a usual one: a word for
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
    email mail username respondent participant household donor viewer student learner player
    patient rider passenger traveller traveler debitor debitoren athlete
    eleve alumno uczen cust utilizador candidate applicant borrower investor citizen voter backer
    attendee fan acct login socio socia
    kullanıcı uye klienta uzytkownika uzytkownik czytelnik czytelnika tessera lettore leitor lector
    abonnent abonne kaufer mitglieds пользователь пользователя покупатель покупателя клиент
    клиента читатель читателя 利用者 使用者 買家 买家 读者 讀者 顾客 客戶 ユーザー ユーサー 구매자
    사용자 이용자 المستخدم الزبون القارئ المشترك ग्राहक उपयोगकर्ता सदस्य पाठक"""
_ITEM = """item items product produit produkt artikel article articulo prodotto produto sku asin
    isbn ean book livre buch bib biblio movie film song track video podcast game course
    offer material goods products produits produkte movies films songs
    games courses podcasts albums tracks videos books articles articolo produktu urun tuote προιον
    商品 상품 المنتج προϊόντος товар товара produs produsului vare vara varu vyrobku zbozi 产品 製品
    제품 מוצר barang artikla izdelek izdelka preces prekes toode vorunumer
    hotel recipe drug asset prod 物品 项目
    libro livro boek bok kirja kitap ksiazka ksiazki kniha konyv книга книги фильм фильма товары
    producto productos pelicula filme filmu artigo towar towaru repo repository vacancy dish
    boardgame videogame exhibit petition quest anime manga spiel jeu juego gioco jogo gra oyun игра
    игры kurs curso cours
    映画 영화 电影 電影 作品 書籍 书籍 图书 圖書 書 书 视频 歌曲 游戏 ゲーム 게임 課程 课程 도서
    작품
    الفيلم الكتاب كتاب फ़िल्म पुस्तक किताब उत्पाद वस्तु"""
_VALUE = """rating ratings quantity quantite menge anzahl cantidad qty quantita quantidade stars
    score qtd mnozstvi maara ποσοτητα 数量 수량 الكمية qte units unidades sztuk stuckzahl miktar
    portions ocena puan кол количество оценка 評価 评分 得分 個数 数 평점 개수 التقييم تقييم मात्रा
    रेटिंग"""
_ACT = """order purchase commande achat bestellung bestell kauf checkout loan borrow borrowed
    issue issued pret emprunt ausleihe transaction event invoice facture rechnung visit play
    played view viewed listen rated review reviewed created creation sale sold bought paid added
    pedido compra vente visited ordine acquisto server collector received sent updated added
    listened clicked streamed derived original ship close create bestel zamowienia read
    submission submitted rental rented borrowing watch click stream applied avaliacao valoracion
    evaluacion start started begin evaluation avis bewertung valutazione recensione degerlendirme
    application download booking reservation install search vote voted liked saved bookmark
    bookmarked scan scanned enrollment enrolment
    starred session completion completed trade traded posting posted pickup checkin signed
    donated travel gesehen gekauft bestellt gehort gelesen ausleih buchungs zakupu wypozyczenia
    sprzedazy
    oceny
    prestito prestamo emprestimo islem txn trans trx tx ending заказа покупки выдачи просмотра
    продажи оценки 购买 購買 下单 下單 订单 訂單 订购 观看 播放 浏览 点击 借阅 交易 评价 评论 创建
    注文
    購入 視聴 貸出 閲覧 再生 評価 구매 주문 결제 시청 대출 평가 클릭 조회 거래 الطلب
    الشراء
    المشاهدة الاعارة आदेश खरीद siparis satis alis utc gmt unix ms us ns log request behavior
    behaviour"""
_ID = """id ids no nr num number numero nummer nbr code key barcode uri ref reference referenz
    identifiant identifier identificador codigo codice cod kod kode kodu cislo numer код
    номер κωδικός קוד 编号 番号 コード 번호 코드 pseudo
    record hash uuid guid sifra kods kodas kood codi tootekood vorunumer idx
    cd 号 號 编码 編號 編碼 아이디 رقم معرف आईडी"""
_TIME = """date datetime time timestamp ts datum uhrzeit zeit fecha data heure at on utc
    tstamp dt gmt tarih tarihi 日期 日付 날짜 am дата 时间 日時 时间戳 日 일자 일시 시간
    التاريخ
    تاريخ وقت الوقت दिनांक तारीख समय"""
_DATE = "date datum fecha data dato tarih dia jour giorno tag day дата 日期 日付 날짜"
_CLOCK = """time uhrzeit zeit heure hora ora orario tijd tid czas saat clock hour timeofday время
    час 时间 时刻 時刻 時間 시간 시각"""
# What people do, as it is counted: many a time, or one beside a word for counts.
_AMOUNT = """plays listens views clicks orders purchases visits streams watches reads sales hours
    minutes seconds playtime ecoutes lectures vues achats wiedergaben"""
_ONCE = "play listen view click order purchase visit stream watch read sale hour"
_COUNTING = """num number n nb nbr nr no count counts cnt total times how many forever in played net
    sum"""
_COUNT = "count counts cnt times"
# Labels, and words that name other things too.
_LABELS = """click clicked isclick liked isliked islike purchased ispurchased bought converted
    conversion isrelevant relevant relevance recommended isrecommended recommend votedup
    target note playtimeforever interacted isinteracted wish isfavorite isfavourite favorited
    favourited r"""
# Whom users are linked to.
_LINKED = """friend friends followee followees followed following trustee contact neighbor neighbour
    freund freunde ami amis amigo amigos amico amici vriend vrienden gefolgt suivi seguido"""
_YEAR = "year jahr annee ano anno jaar rok yil aasta ar vuosi год 年"
_MONTH = "month yearmonth yyyymm monat mois mes mese maand miesiac mesic ay kuukausi месяц 月"
_DAY = "day tag jour dia giorno dag dzien den gun paiva dayofmonth mday dom день 日"
_HOUR = "hour stunde heure hora ora uur godzina saat час"
_WEEK = """week weeks isoweek yearweek weekno weeknumber calendarweek woche kw kalenderwoche semaine
    semana settimana weeknr hafta uke uge vecka viikko tydzien неделя 周 週 주"""
_FILL = (
    "de du d da do di del della la le les des der the of per par per and my your overall effective"
    " sur"
)
# Beside a word for who or what.
_NAMES = """name title titel titre titulo titolo line nombre nome nom имя название наименование
    nazwa tytul naam namn navn nimi nev adi adı isim url uri slug 名 名称 名前 이름 명 اسم नाम"""


def _plain(text: str) -> str:
    """Text in lower case, without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parts if not unicodedata.combining(c))


# What stands at the end of a compound word: Kundennr, Bestelldatum, Buchtitel.
_COMPOUND = re.compile(r"(?<=[^\W\d_]{4})(nr|nummer|number|datum|date|titel)\b|(?<=nutzer)(name)\b")
_SCRIPT = r"[\u3040-\u30ff\u3400-\u9fff\u1100-\u11ff]"
# Words that stand without blanks between them, the longest first: 用户编号, 購入日時.
_JOINED = re.compile(
    "|".join(
        sorted(
            (
                word
                for some in (_USER, _ITEM, _VALUE, _ACT, _ID, _TIME, _NAMES)
                for word in _plain(some).split()
                if re.match(_SCRIPT, word)
            ),
            key=lambda word: (-len(word), word),
        )
    )
)
(
    USER,
    ITEM,
    VALUE,
    ACT,
    ID,
    TIME,
    DATE,
    CLOCK,
    FILL,
    AMOUNT,
    ONCE,
    COUNTING,
    COUNT,
    LABELS,
    NAMES,
) = (
    frozenset(_plain(words).split())
    for words in (
        *(_USER, _ITEM, _VALUE, _ACT, _ID, _TIME, _DATE, _CLOCK, _FILL),
        *(_AMOUNT, _ONCE, _COUNTING, _COUNT, _LABELS, _NAMES),
    )
)
LINKED = frozenset(_LINKED.split())
# Beside a word for what: what was done with it (``click_article_id``).
_DONE_WORDS = """click clicked view viewed purchased bought played rated reviewed ordered
    visited read"""
_DONE = frozenset(_DONE_WORDS.split())
# Of times, not of spans: seconds since 1970.
_SINCE = frozenset(("unix", "epoch", "ts", "timestamp", "since", "utc"))
# Of values those that are added up: not ratings.
_OPINIONS = "rating ratings stars score puan ocena оценка 評価 评分 得分 평점 التقييم تقييم रेटिंग"
QUANTITY = VALUE - {*_plain(_OPINIONS).split()}
# Parts of dates, by the words for them.
_PARTS = {
    word: part
    for part, words in (
        *(("year", _YEAR), ("month", _MONTH), ("week", _WEEK), ("day", _DAY), ("hour", _HOUR)),
        *(("minute", "minute"), ("second", "second")),
    )
    for word in _plain(words).split()
}
_QUARTERS = {"quarter", "quartal", "trimestre", "trimester", "kwartaal", "yearquarter"}
# What stands beside weeks that are counted.
_COUNTED_BESIDE = {"no", "nr", "number", "iso", "calendar"}
_PERIODS = {
    **{name: {word for word, part in _PARTS.items() if part == name} for name in ("week", "month")},
    "quarter": _QUARTERS,
}
_YEARS = {word for word, part in _PARTS.items() if part == "year"}
_BESIDE_PERIODS = _YEARS | DATE | TIME | ACT | _COUNTED_BESIDE
# Of words for ids those that may number the lines.
_NUMBERS = "no nr num number numero nummer nbr cislo numer номер 编号 番号 번호"
_NUMBERING = frozenset(_plain(_NUMBERS).split())
# A number (``track no``) may count something else.
_SURELY_ID = frozenset(("id", "sku", "code", "key", "uuid", "guid", "ean", "asin", "isbn"))
# Words for who, what, when and how much; and the words that may stand beside them.
_ROLES = {
    "user": (USER, ID | NAMES - {"title", "line"}),
    "item": (ITEM, ID | NAMES | _DONE),
    "value": (VALUE, ITEM | ACT | {"line"}),
    "time": (TIME, ACT),
}


_BRACKETS, _NUMBER = re.compile(r"\(.*?\)|\[.*?\]"), re.compile(r"#|№|\b[Nn][°º]")
# Columns whose names are looked at, and kept: four times as many as Excel has.
MOST_COLUMNS = 1 << 16
# Characters from which on a text isn't a name of a column.
_LONG = 500
# What databases and reports call a column that they added up: Sum(Quantity).
_ADDED_UP = re.compile(r"^\s*(sum|total|count)\s*\((.*)\)\s*$", re.IGNORECASE)
# Vowels of India's and Thailand's scripts, which are no letters by themselves.
_SIGNS = r"\u0900-\u0dff\u0e31-\u0e4e"
_CAMEL, _WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])"), re.compile(rf"[\w{_SIGNS}]+")


@lru_cache(MOST_COLUMNS)
def words(name: str) -> tuple[str, ...]:
    """Return a name's words in lower case without accents, without what is in brackets; none of a
    text that is too long for a name.
    """
    if len(name) > _LONG:
        return ()
    bare = _NUMBER.sub(" no ", _BRACKETS.sub(" ", _ADDED_UP.sub(r"\1 \2", name)))
    bare = _plain(_CAMEL.sub(" ", bare)).replace("_", " ")
    return tuple(_WORDS.findall(_JOINED.sub(r" \g<0> ", _COMPOUND.sub(r" \1\2", bare))))


@lru_cache(MOST_COLUMNS)
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


def may_be_time(name: str) -> bool:
    """Return whether a name's words say nothing but dates, times, weeks, months and what people
    did: it holds their times if its cells are dates.
    """
    said = set(words(name)) - FILL
    return period_of(name) is not None or (bool(said & (DATE | TIME)) and said <= DATE | TIME | ACT)


def period_of(name: str) -> str | None:
    """Return ``"week"``, ``"month"`` or ``"quarter"`` if a name's words say that it holds those of
    a year (``year_week``, ``ISO week``, ``yearmonth``); else None.
    """
    said = set(words(name)) - FILL
    for period, nouns in _PERIODS.items():
        if said & nouns and said <= nouns | _BESIDE_PERIODS:
            return period
    return None


def is_clock(name: str) -> bool:
    """Return whether a name's words say that it holds times of day, and no span of time."""
    said = set(words(name)) - FILL
    return bool(said & CLOCK) and said <= CLOCK | ACT | DATE | {"start", "day", "local", "utc"}


def is_id(name: str) -> bool:
    """Return whether a word of a name says that it holds ids."""
    return bool(set(words(name)) & ID)


def is_linked(name: str) -> bool:
    """Return whether a name says that it holds whom users are linked to (``followee``)."""
    return bool(LINKED & {*words(name)})


def is_reference(name: str) -> bool:
    """Return whether a name's words say that it holds ids, of nothing in particular (``Code``,
    ``Reference``), unless they may number the lines (``No``).
    """
    said = set(words(name)) - FILL
    return bool(said - _NUMBERING) and said <= ID


def is_amount(name: str) -> bool:
    """Return whether a name's words say that it counts or labels what people did, where its cells
    are numbers: ``num_plays``, ``number of orders``, ``clicked``.
    """
    said = {word for word in words(name) if not word.isdigit()} - FILL
    if (
        "".join(words(name)) in LABELS
        or (len(said) == 1 and said <= LABELS)
        or (len(said) == 1 and said <= VALUE)
    ):
        return True
    if said & _SINCE:
        return False
    counted = said & AMOUNT or (said & ONCE and said & COUNT) or said & QUANTITY
    beside = AMOUNT | ONCE | COUNTING | ITEM | ACT | QUANTITY
    return bool(counted) and len(said) > 1 and said <= beside


def part_of_date(name: str) -> str | None:
    """Return the part of a date that a name says it holds (``"year"``, ``"month"`` ...): alone, or
    beside the date's or an act's own name (``date_year``, ``order month``); else None.
    """
    said = [word for word in words(name) if word not in FILL]
    parts = {_PARTS[word] for word in said if word in _PARTS}
    beside = DATE | ACT | TIME | (_COUNTED_BESIDE if parts == {"week"} else set())
    if len(parts) != 1 or not all(w in _PARTS or w in beside for w in said):
        return None
    return parts.pop()
