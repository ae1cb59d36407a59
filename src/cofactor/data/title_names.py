"""What columns that name an item to people are called, by their letters."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = re.compile(r"[\W_]+")


def letters_of(name: str) -> str:
    """Return a name's letters and digits alone, small and without accents."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    return _SIGNS.sub("", "".join(c for c in bare if not unicodedata.combining(c)))


_TITLES = """title name booktitle producttitle productname itemname movietitle primarytitle
    originaltitle articlename prodname titel bezeichnung titre titulo libelle designation
    nomproduit nomduproduit nombre nombreproducto nombredelproducto titolo nomeprodotto
    nomedoprodotto nomeproduto nomedoproduto nome naam productnaam omschrijving artikelname
    produktname artikelbezeichnung benamning produktnamn navn produktnavn betegnelse nimi
    tuotenimi nazwa nazwaproduktu tytul nazev nazevproduktu nazov nev termeknev denumire
    numeprodus urunadi urunadı urunismi baslik başlık наименование название наименованиетовара
    названиетовара назва τίτλος ονομασία όνομα ονομαπροιοντος 商品名 商品名称 商品名稱
    产品名称 名称 標題 标题 タイトル 品名 製品名 상품명 제품명 제목 اسمالمنتج العنوان الاسم
    שםמוצר שםהמוצר כותרת शीर्षक नाम उत्पादनाम ชื่อสินค้า ชื่อ tensanpham megnevezes tieude
    namaproduk namabarang naziv nazivartikla nosaukums pavadinimas nimetus heiti nom ime
    judul displayname itemtitle trackname tracktitle songname songtitle
    albumname videoname videotitle moviename filmname filmtitle gamename gametitle animename
    bookname coursename coursetitle articletitle posttitle newstitle headline recipename
    beername businessname restaurantname venuename placename hotelname maktx"""
_DESCRIPTIONS = """description beschreibung descripcion descrizione descricao beskrivning
    beskrivelse kuvaus opis popis leiras descriere aciklama açıklama описание опис περιγραφή 説明
    描述 설명 الوصف תיאור विवरण mota deskripsi"""
# The preferred ones first; and what a table without any of them may call its titles.
TITLE_NAMES = tuple(map(letters_of, _TITLES.split()))
DESCRIPTION_NAMES = tuple(map(letters_of, _DESCRIPTIONS.split()))
