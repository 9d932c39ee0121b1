"""Made-up people and firms. Contacts that carry such a name are tagged ``generated-name``."""

import random
import re
import unicodedata

TAG = "generated-name"


def _words(text: str) -> list[str]:
    return text.split()


FIRST = {
    "en": _words(
        """
        Ada Alice Amir Andre Angela Anita Ben Bianca Caleb Carla Carmen Cheryl Clara Colin Dana
        Daniel Darius Dora Dwayne Edith Elena Eli Emma Ethan Fay Felix Fiona Frank Gail Gloria Grace
        Hank Hazel Hector Ian Imani Ines Iris Ivan Jade Jamal Jasmine Joel Jonah Joyce June Kai
        Karen Keith Kim Lara Leon Lena Linda Logan Lucia Malik Marcus Maria Mason Maya Mei Miles
        Mira Nadia Nathan Nina Noah Nora Olga Omar Oscar Paula Pedro Priya Quinn Rachel Rafael Rita
        Rosa Ruth Samir Sandra Sean Selma Simon Sofia Tara Theo Tina Uma Victor Vera Wanda Wesley
        Yara Yusuf Zoe
        """
    ),
    "de": _words(
        """
        Anja Annette Bernd Birgit Christa Dieter Doris Elke Ernst Frieda Gisela Greta Hannes Heike
        Helga Henning Holger Ilse Ines Jens Jonas Jutta Käthe Karsten Kerstin Lars Lieselotte Lukas
        Maike Marlene Matthias Moritz Nele Petra Rainer Renate Rüdiger Sabine Silke Stefan Svenja
        Tilo Torsten Ulrike Uwe Wiebke Wolfgang
        """
    ),
}
LAST = {
    "en": _words(
        """
        Abbott Adeyemi Ahmed Alvarez Archer Banks Barlow Bell Bennett Brennan Brooks Burke Carver
        Castillo Chan Chavez Clarke Coleman Cordova Crane Cruz Dalton Daniels Desai Doyle Drake Dunn
        Ellis Estrada Farrell Fields Finch Fleming Flores Foster Fuller Gallagher Garner Gibson
        Goldberg Grant Greene Gupta Hale Harding Harper Hayes Hendricks Holloway Hopkins Hughes
        Ibarra Iqbal Jarvis Jensen Jordan Kaplan Keller Khan Kim Knox Lambert Larsen Lawson Lee
        Lindqvist Lopez Lowell Malone Marsh Mbeki Medina Mercer Miles Monroe Morales Nash Nguyen
        Norris Novak Okafor Olsen Ortega Osei Page Park Patel Pierce Poole Porter Quintero Ramos
        Reyes Rhodes Rivera Rowe Russo Santos Sawyer Shah Shaw Silva Singh Sloan Soto Stanton Stone
        Summers Sutton Tate Tran Underhill Vance Vargas Wade Walsh Ward Webb Whitfield Wilder Wong
        Yates Young Zapata Zimmer
        """
    ),
    "de": _words(
        """
        Albrecht Arnold Baumann Becker Böhm Brandt Busch Dietrich Ebert Engel Fischer Friedrich
        Fuchs Graf Günther Haas Hartmann Heinrich Hoffmann Horn Jäger Kaiser Kaufmann Keller Köhler
        Krause Kühn Lange Lehmann Lorenz Maurer Müller Neumann Otto Peters Pohl Richter Roth Sauer
        Schäfer Schreiber Schulz Seidel Simon Stein Thomas Vogel Voigt Wagner Weber Winkler Wolff
        Ziegler
        """
    ),
}
#: two parts of a rarer last name
STARTS = _words(
    """
    Ald Ash Bar Beck Berg Black Brad Bran Bren Brook Carl Cart Chad Clay Cross Dal Den East Ed Eld
    Fair Fen Ford Gar Glen Gold Gran Green Had Hal Ham Hart Haw Hazel Hil Hol Hunt Kel Ken Kings
    Lang Lind Lock Long Mal Mar Mel Mil Mont Nor Oak Old Pem Rad Red Rich Rock Ros Row Rush Shel
    Sher Stan Stone Sun Thorn Tor Val Wake Wal West Whit Win Wood
    """
)
ENDS = _words(
    """
    berry borough bourne brook burn bury by clift combe cott croft dale den don er field fleet ford
    gate grove ham hurst ing ington kirk land leigh ley lin lock low man mere mond more ner ney port
    ridge rick sby sen shaw ski son stead stein stone strom ter ton vale ville wall ward water way
    well wick win wood worth yer
    """
)
FIRST_WORDS = _words(
    """
    Amber Anchor Apple Arrow Birch Blue Bright Canal Cedar Circle Cobalt Copper Coral Corner
    Crescent Crown Drift East Elm Ember Evergreen Fern Field Flint Fox Garden Granite Green Harbor
    Hazel Heron High Hill Indigo Iron Island Ivory Juniper Lake Lantern Laurel Lime Little Lunar
    Maple Market Meadow Mill Moon North Oak Ocean Old Olive Orchard Osprey Owl Paper Pearl Pine Plum
    Quarry Quiet Raven Red Ridge River Robin Rose Saffron Salt Silver Slate South Spring Station
    Stone Summit Swift Thistle Tide Union Valley Velvet West White Wild Willow Winter Wood
    """
)
#: kind of firm → (industry, the second word of its name, smallest and largest number of employees)
FIRMS = {
    "cafe": ("Food and drink", ["Café", "Coffee", "Roasters", "Bakery", "Bar", "Diner"], 4, 60),
    "gym": ("Sports and leisure", ["Fitness", "Gym", "Yoga", "Dance Studio"], 5, 120),
    "hotel": ("Hospitality", ["Hotel", "Inn", "Lodge", "Resort"], 12, 400),
    "shop": ("Retail", ["Books", "Records", "Gifts", "Outfitters", "Department Store"], 3, 900),
    "school": ("Education", ["Music School", "Academy", "College", "Library"], 10, 700),
    "radio": ("Media", ["Radio", "Podcasts", "Studios", "Events", "Film"], 3, 150),
    "office": ("Services", ["Design", "Law", "Consulting", "Software", "Clinic"], 6, 1200),
}
JOBS = [
    "Owner",
    "Store manager",
    "Buyer",
    "Head of purchasing",
    "Events manager",
    "Music director",
    "Office manager",
    "General manager",
    "Librarian",
    "Programme manager",
    "Finance manager",
    "Assistant",
    "Marketing lead",
]
AREAS = ["212", "617", "312", "415", "206", "303", "512", "404", "503", "602"]


_UMLAUTS = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss"}


def plain(text: str) -> str:
    """Lower case letters and digits with hyphens, for addresses."""
    text = text.lower().translate(_UMLAUTS)
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")


def people(chance: random.Random, language: str) -> tuple[str, str]:
    """A first and a last name."""
    return chance.choice(FIRST[language]), chance.choice(LAST[language])


def firms(chance: random.Random, count: int) -> list[tuple[str, str, int]]:
    """``count`` different firms: name, industry, employees."""
    found: dict[str, tuple[str, str, int]] = {}
    kinds = list(FIRMS.values())
    while len(found) < count:
        industry, seconds, low, high = chance.choice(kinds)
        name = f"{chance.choice(FIRST_WORDS)} {chance.choice(FIRST_WORDS).lower()}".split()
        word = name[0] if chance.random() < 0.6 else "".join(name)
        full = f"{word} {chance.choice(seconds)}"
        size = round(low * (high / low) ** (chance.random() ** 2))
        found.setdefault(full, (full, industry, size))
    return list(found.values())


def phone(language: str, number: int) -> str | None:
    """The n-th of the numbers that are set aside for fiction; None when they are used up."""
    if language == "de":
        return f"+493023125{number:03d}" if number < 1000 else None
    return f"+1{AREAS[number // 100]}55501{number % 100:02d}" if number < 1000 else None
