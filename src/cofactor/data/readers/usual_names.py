"""The usual names of columns, by their role."""

from __future__ import annotations

from collections.abc import Mapping

from cofactor.data.title_names import DESCRIPTION_NAMES, TITLE_NAMES, letters_of

# Folded names (letters and digits only, without accents), the preferred ones first.
USUAL: Mapping[str, tuple[str, ...]] = {
    role: tuple(map(letters_of, names.split()))
    for role, names in {
        "user": """userid user uid reviewerid visitorid customerid customer memberid member
            accountid personid profileid readerid reader viewerid subscriberid username sessionid
            session users userids clientid client customerno customernumber custid buyerid buyer
            shopperid respondentid respondent participantid participant householdkey patientid
            studentid learnerid playerid player listenerid employeeid cookieid deviceid
            anonymousid person steamid reviewer reviewername userkey kunde kundennummer kundenid
            benutzer nutzer nutzerid utilisateur usuario usuarioid idusuario cliente clienteid
            idcliente idclient utente shopper visitor customercode customername distinctid
            fromemailaddress buyerusername purchaser purchaserid patronid auftraggeber besteller
            voter rater email emailaddress customeremail useremail buyeremail пользователь
            idпользователя покупатель клиент користувач 用户 用户id 客户 会员 ユーサー ユーサーid
            会員 顧客 사용자 고객 kullanıcı musteri uzytkownik klient gebruiker klant
            anvandare kund bruger bruker uzivatel zakaznik 사용자id 고객id 회원id cookie candidateid
            applicantid felhasznalo utilizator domainuserid athleteid follower followerid kunnr
            kayttaja χρήστης משתמש مستخدم pengguna nguoidung المستخدم معرفالمستخدم العميل
            معرفالعميل رقمالعميل الزبون उपयोगकर्ता ग्राहक
            उपयोगकर्ताआईडी ग्राहकआईडी 會員 會員id 顧客id 客戶 使用者 ผู้ใช้ ลูกค้า کاربر مشتری
            pirkejas vartotojas kasutaja korisnik kupac потребител stranka uporabnik usuari
            userno utilizador cust idvisitor userfullname vollständigername
            nombrecompletodelusuario pseudo nickname login benutzername nutzername kdnr borrower
            hhkey hhid candidate applicant loyaltyid loyaltycard msisdn imei gamertag profilename
            reviewprofilename
            会员号""",
        "item": """itemid item iid movieid bookid parentasin asin isbn productid product articleid
            article songid trackid artistid videoid newsid contentid businessid gameid animeid
            locationid venueid poiid recipeid beerid sku movie book song track artist items
            itemids productsku productcode productno productnumber stockcode itemcode itemno
            itemnumber articleno articlenumber materialid ean gtin upc filmid film showid titleid
            postid courseid jobid hotelid restaurantid placeid eventid appid game gamename anime
            playlistid albumid album podcastid documentid docid resourceid offerid listingid adid
            itemkey productname artikel artikelnummer artikelid produkt produktid produit
            idproduit producto productoid idproducto prodotto produto pelicula filmtitle
            movietitle songtitle itemname articlecode variantid goodsid lineitemsku variantsku
            sellersku spotifytrackuri trackname customlabel partnumber partno material
            materialnumber materialnummer артикул кодтовара товар idтовара фильм
            книга 商品 商品id 产品id 物品 电影
            アイテム アイテムid 상품 아이템 urun artykuł articolo articulo vare vara
            vyrobek termek produs προϊόν מוצר منتج barang sanpham 상품id المنتج معرفالمنتج
            رقمالمنتج رمزالمنتج العنصر الصنف उत्पाद उत्पादआईडी वस्तु pageid
            aid products productids movies movieids books bookids articles articleids
            cikkszam termekkod tuotekoodi tuotenumero masanpham รหัสสินค้า उत्पादकोड plu
            สินค้า محصول کالا preke toode proizvod продукт izdelek producte
            followee followeeid followedid tconst matnr isbn13 isbn10 doi
            songs trackids skus itemseq itemsequence itemlist itemidlist
            prodid prod hotel recipe 物品id 项目 eventcontext ereigniskontext contextodelevento
            artnr vid 货号 品番 signatur callnumber titleno
            reponame beerbeerid problemid
            questionid exerciseid lessonid lexemeid quizid lectureid boardgame videogame
            stokkodu""",
        "value": """rating overall score stars bookrating starrating ratingvalue userrating
            ratings value count weight plays playcount listens listencount frequency quantity
            preference accessed feedback label hours hoursplayed playtime qty quantityordered
            rate grade star reviewrating reviewscore userscore views clicks purchases nplays
            watchtime watchratio liked like click bewertung menge anzahl puntuacion calificacion
            cantidad quantite voto thumbs starsgiven timesplayed units lineitemquantity
            quantitypurchased val eventstrength qtyordered orderquantity salesquantity
            auftragsmenge bestellmenge оценка реитинг количество 评分 数量 評価 평점 puan
            adet ocena ilosc nota quantita quantidade avaliacao waardering aantal betyg antal
            hodnoceni beoordeling vurdering bedømmelse arvosana оцінка ertekeles βαθμολογία דירוג
            تقييم nilai đánhgiá strength 별점 수량 التقييم الكمية रेटिंग मात्रा
            數量 คะแนน จำนวน امتیاز تعداد кількість kiekis hinne ocjena kolicina valoracio
            打分 得分 分数 评分值 sterne etoiles valutazione numstars overallrating
            scoreraw cnt freq reviewoverall dwelltime колво stuckzahl""",
        "time": """timestamp time ts timems timestampms datehour datehourminute unixreviewtime
            unixtime eventtime datetime date dateadded dateadd createdat ratedat watchedat
            reviewtime dateupdated readat invoicedate orderdate purchasedate transactiondate
            eventtimestamp eventdate createdon created createdtime creationdate ratingdate
            reviewdate viewedat purchasedat orderedat orderedon orderedtime playedat occurredat
            dateofpurchase starttime visittime clicktime tstamp epoch unixtimestamp localtime
            datum zeit zeitstempel fecha dateheure datetimeutc purchasetime createdatutc
            bestelldatum saledate solddate dateofsale tdat belegdatum auftragsdatum
            rechnungsdatum buchungsdatum timestamps times uts dt ds endtime lastupdated
            mylastupdated дата время 时间 日期 时间戳 日時 日付 날짜 tarih czas dato
            購入日 תאריך ημερομηνία paiva paivamaara pvm ngày วันที่ tanggal تاریخ kuupaev
            التاريخ الوقت दिनांक तारीख तिथि समय when zeitpunkt epochms lastplayed
            timecreated timemodified timeadded horodatage dataeora dataehora fechayhora fechahora
            datahora dateetheure datumunduhrzeit датаивремя tarihsaat 日期时间 vule""",
    }.items()
}
ROLES = tuple(USUAL)
# The same without their order, by role.
KNOWN: Mapping[str, frozenset[str]] = {role: frozenset(names) for role, names in USUAL.items()}
# What kind of event a row is, read where there is no value.
EVENT = (
    *("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviour"),
    *("behaviortype", "behaviourtype", "interactiontype", "feedbacktype", "kind"),
)

# Folded names of what is said of items and users: by them a catalogue's header is known as one.
_DESCRIBING = """text category categories genre genres tags brand price year author authors
    publisher language color colour size image imageurl url country city gender age occupation
    kategorie warengruppe preis ort land alter geschlecht nom prix categorie ville pays precio
    categoria ciudad prezzo prijs preco pris cena fiyat hinta kategoria kategori цена ціна категория
    категорія τιμή 価格 价格 價格 单价 値段 가격 السعر الفئة מחיר कीमत मूल्य ราคา giá harga"""
DESCRIBING: tuple[str, ...] = (
    *(*TITLE_NAMES, *DESCRIPTION_NAMES),
    *map(letters_of, _DESCRIBING.split()),
)
