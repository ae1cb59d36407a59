"""The words of the synthetic book shop: genres (who and what), themes (where and why), names and
places.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """A kind of book: the adjectives and nouns of its titles, and who does what in its
    descriptions.
    """

    name: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    heroes: tuple[str, ...]
    deeds: tuple[str, ...]
    price: float


@dataclass(frozen=True)
class Theme:
    """What a book is about beside its genre: the nouns of its titles, where it plays and what it
    turns on.
    """

    name: str
    nouns: tuple[str, ...]
    places: tuple[str, ...]
    turns: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _genre(name: str, price: float, adjectives: str, nouns: str, heroes: str, deeds: str) -> Genre:
    return Genre(name, _words(adjectives), _words(nouns), _words(heroes), _words(deeds), price)


def _theme(name: str, nouns: str, places: str, turns: str) -> Theme:
    return Theme(name, _words(nouns), _words(places), _words(turns))


GENRES = (
    _genre(
        "Mystery",
        11.0,
        "Silent, Missing, Second, Locked, Unsigned, Borrowed, Crooked, Last",
        "Witness, Alibi, Confession, Verdict, Letter, Inquest, Stranger, Clue",
        "A retired inspector, A stubborn librarian, A village doctor, A court stenographer, An"
        " insurance assessor",
        "reopens an old murder, follows a false name, finds a body where none should be, doubts a"
        " tidy suicide",
    ),
    _genre(
        "Fantasy",
        14.0,
        "Broken, Sleeping, Thirteenth, Unspoken, Hollow, Golden, Forsworn, Hidden",
        "Crown, Oath, Wizard, Dragon, Prophecy, Throne, Enchanter, Rune",
        "An apprentice enchanter, A disgraced knight, The youngest of seven witches, A dragon's"
        " clerk, A hedge wizard",
        "steals a forbidden spell, is bound to a dying dragon, must crown the wrong king, wakes an"
        " older magic",
    ),
    _genre(
        "Science Fiction",
        13.0,
        "Orbital, Quantum, Distant, Synthetic, Parallel, Frozen, Second, Unmanned",
        "Signal, Colony, Starship, Android, Horizon, Protocol, Satellite, Orbit",
        "A salvage pilot, The last astronomer, An android midwife, A colony engineer, A ship's"
        " mind",
        "answers a signal from deep space, wakes two centuries late, repairs a failing orbit, hides"
        " a forbidden robot",
    ),
    _genre(
        "Romance",
        9.0,
        "Reluctant, Secret, Impossible, Tender, Unexpected, Faithless, Sweet, Late",
        "Promise, Wedding, Kiss, Suitor, Heart, Proposal, Valentine, Bride",
        "A widowed florist, A runaway bride, A jealous baker, A shy translator, A travelling"
        " matchmaker",
        "falls in love against all advice, pretends to be engaged, meets a first love again,"
        " answers the wrong letter",
    ),
    _genre(
        "History",
        18.0,
        "Imperial, Forgotten, Long, Divided, Royal, Ancient, Contested, Great",
        "Empire, Treaty, Century, Republic, Dynasty, Revolution, Archive, Siege",
        "A patient historian, The keeper of a royal archive, A team of archaeologists, A descendant"
        " of the vanquished",
        "retells a forgotten siege, traces the fall of a dynasty, reads a treaty between the lines,"
        " maps a lost empire",
    ),
    _genre(
        "Horror",
        10.0,
        "Restless, Pale, Whispering, Buried, Unblessed, Starving, Nameless, Cold",
        "Shadow, Grave, Haunting, Scream, Curse, Thing, Attic, Midnight",
        "A night nurse, A family of four, The caretaker of an asylum, A sceptical priest, A"
        " gravedigger's son",
        "hears scratching under the floor, digs up something still warm, inherits a curse, is"
        " followed home by the dead",
    ),
    _genre(
        "Thriller",
        12.0,
        "Lethal, Double, Final, Deniable, Fatal, Burning, Stolen, Hostile",
        "Agent, Deadline, Conspiracy, Target, Cipher, Hostage, Defector, Trigger",
        "A disavowed spy, A junior analyst, A bomb disposal officer, An ex-marine, The president's"
        " interpreter",
        "has nine hours to stop an assassination, is framed for treason, uncovers a mole, runs from"
        " two governments",
    ),
    _genre(
        "Adventure",
        12.0,
        "Wild, Uncharted, Daring, Northern, Perilous, Reckless, Endless, Lost",
        "Expedition, Voyage, Treasure, Compass, Crossing, Map, Summit, Caravan",
        "A bankrupt explorer, A runaway orphan, A one-eyed captain, A famous pilot's daughter, A"
        " mapmaker",
        "races rivals to a treasure, sets out without a map, survives a wreck, crosses where nobody"
        " has crossed",
    ),
    _genre(
        "Cookery",
        24.0,
        "Slow, Simple, Spiced, Generous, Seasonal, Fermented, Rustic, Buttery",
        "Kitchen, Table, Supper, Recipes, Oven, Feast, Pantry, Bread",
        "A self-taught baker, A grandmother of eleven, A restless chef, A market cook, A miller's"
        " daughter",
        "shares ninety recipes for supper, teaches bread from flour to crust, cooks a year of"
        " feasts, fills a pantry",
    ),
    _genre(
        "Nature",
        17.0,
        "Wandering, Living, Quiet, Hidden, Green, Feathered, Tidal, Ancient",
        "Meadow, Bird, Heron, Otter, Season, Migration, Orchard, Fox",
        "A weary botanist, A beekeeper, A birdwatcher of sixty years, A river warden, A marine"
        " biologist",
        "watches one meadow for a year, follows the migration of birds, rescues an otter, counts"
        " what is vanishing",
    ),
    _genre(
        "Biography",
        19.0,
        "Unquiet, Remarkable, Private, Brilliant, Restless, Invented, Public, Double",
        "Life, Portrait, Memoir, Years, Genius, Youth, Diaries, Legend",
        "A forgotten composer, The first woman to lead an observatory, A celebrated forger, A"
        " twice-exiled poet",
        "rises from poverty to fame, is remembered by those who stayed, keeps a diary of failures,"
        " outlives every rival",
    ),
    _genre(
        "Comedy",
        10.0,
        "Dreadful, Accidental, Perfectly Good, Ridiculous, Unqualified, Polite, Inconvenient,"
        " Cheerful",
        "Uncle, Nephew, Butler, Vicar, Committee, Scandal, Goat, Impostor",
        "A hopeless butler, The worst vicar in the county, An accidental mayor, A committee of"
        " aunts, A goat's owner",
        "loses somebody else's fortune, wins an election by mistake, is taken for a duke, ruins a"
        " perfectly good party",
    ),
)

THEMES = (
    _theme(
        "sea",
        "Tide, Harbour, Lighthouse, Salt",
        "on a storm-bound island, in a fishing harbour, aboard a rusting ferry",
        "the sea gives something back, a lighthouse goes dark, the tide keeps a secret",
    ),
    _theme(
        "mountains",
        "Ridge, Avalanche, Glacier, Pass",
        "in a snowed-in mountain hut, on the north face, in a high valley",
        "the glacier melts, an avalanche closes the pass, the mountain takes its toll",
    ),
    _theme(
        "music",
        "Sonata, Violin, Chorus, Nocturne",
        "in a provincial opera house, among street musicians, at a piano school",
        "one melody explains everything, a violin changes hands, the orchestra falls silent",
    ),
    _theme(
        "family",
        "Sisters, Inheritance, Daughter, Cousins",
        "in a crowded family house, at a reunion of cousins, between two sisters",
        "a mother's will divides everyone, the eldest daughter returns, a family secret comes out",
    ),
    _theme(
        "war",
        "Soldier, Trench, Armistice, Ration",
        "behind the front line, in an occupied town, in a field hospital",
        "the war comes home, a deserter is betrayed, the armistice arrives too late",
    ),
    _theme(
        "garden",
        "Rose, Greenhouse, Hedge, Seed",
        "in a walled garden, among old roses, in a failing plant nursery",
        "something rare begins to flower, a hedge hides a grave, the garden outgrows its owner",
    ),
    _theme(
        "machines",
        "Engine, Clockwork, Automaton, Gear",
        "in a clockmaker's workshop, at a shuttered factory, beside a great engine",
        "a machine learns to lie, the clock runs backwards, one gear won't fit",
    ),
    _theme(
        "city",
        "Rooftop, Underground, Tram, Market",
        "on the rooftops of a crowded city, in the night markets, along the last tram line",
        "the city never forgets a debt, a whole street is sold, the lights go out downtown",
    ),
    _theme(
        "desert",
        "Dune, Mirage, Well, Scorpion",
        "in a desert without wells, at a caravan halt, under a merciless sun",
        "the dunes uncover a town, water is worth more than gold, a mirage turns out to be real",
    ),
    _theme(
        "winter",
        "Frost, Snow, January, Ice",
        "in the coldest January on record, beyond the ice road, in a town of endless snow",
        "the thaw reveals too much, the ice begins to crack, winter refuses to end",
    ),
)

PLACES = _words(
    "Harrowmere, Saltcombe, Vellingdon, Ostrava Lane, Tarn Hollow, Marrowgate, Quillhaven,"
    " Bramblecross, Eskerfold, Lindwick, Pennarth, Cinderford Hill, Wolverley, Gallow Reach,"
    " Amberley Quay, Thistledown, Northolm, Dunmarrow, Swanmouth, Kestrel Bay"
)

FIRST_NAMES = _words(
    "Ada, Bashir, Carla, Dmitri, Esther, Farid, Greta, Hugo, Ines, Jonas, Keiko, Leon, Mirela,"
    " Nadia, Oskar, Priya, Quentin, Rosa, Samuel, Tove, Uma, Viktor, Wanda, Yusuf, Zora, Amara,"
    " Benoit, Chiara, Elif, Ravi"
)

LAST_NAMES = _words(
    "Alder, Brandt, Castellan, Dorsey, Ekwall, Fontana, Grieve, Hallam, Ibarra, Jessop, Kovalen,"
    " Lindqvist, Marchetti, Novak, Okafor, Pellerin, Quist, Rahman, Sorley, Tanaka, Underhill,"
    " Vasko, Whitlock, Yamada, Zeller, Achterberg, Bellamy, Corrigan"
)
