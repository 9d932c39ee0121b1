"""What customers write: believable sentences that fit their score, about one thing, in their language."""

import random

#: band (promoter, passive, detractor) → topic → sentences
EN: dict[str, dict[str, list[str]]] = {
    "promoter": {
        "delivery": [
            "Ordered on {day}, here two days later, and packed like a treasure.",
            "Fast delivery and everything arrived in perfect condition. Love it.",
            "The parcel was here before I expected it. Wonderful service.",
        ],
        "choice": [
            "You had the {genre} album that nobody else could find. Amazing.",
            "Best selection of {genre} I know, and honest prices.",
            "I always find something I love here. Great catalogue.",
            "My go-to shop for {genre}. The recommendations are excellent.",
        ],
        "service": [
            "Somebody actually called me back and solved it in five minutes. Fantastic.",
            "Friendly people who know their {genre}. I recommend you to all my friends.",
            "Great advice on the phone, I felt really well looked after.",
        ],
        "shop": [
            "Super easy to order, and the newsletter is the only one I enjoy reading.",
            "The new site is fast and beautiful. Happy customer!",
        ],
    },
    "passive": {
        "delivery": [
            "Good shop, but delivery could be a day faster.",
            "Parcel came a little later than announced, otherwise fine.",
        ],
        "choice": [
            "Nice selection, although {genre} is a bit thin.",
            "Prices are okay, the range is good.",
        ],
        "service": [
            "Support was friendly, it just took a while to get through.",
            "All fine. Nothing special, nothing bad.",
        ],
        "shop": [
            "The site is fine once you know where things are.",
            "Search could be better, ordering itself was easy.",
        ],
    },
    "detractor": {
        "delivery": [
            "My parcel was {weeks} weeks late and nobody told me anything. Very disappointed.",
            "Third late delivery in a row. This is really annoying.",
            "The birthday present came after the birthday. I am so angry.",
            "Tracking stood still for {weeks} weeks. Terrible experience.",
            "The box was crushed and two cases are broken. Bad packaging, poor carrier.",
        ],
        "choice": [
            "Half of what I wanted was out of stock, again. Frustrating.",
            "More expensive than everywhere else and the {genre} section is sad.",
        ],
        "service": [
            "I asked three times and got three different answers. Awful service.",
            "Waited forty minutes on the phone and then the line died. Horrible.",
            "Wrong CD, and the return was a hassle. I lost patience.",
        ],
        "shop": [
            "The checkout failed twice and charged me twice. Unacceptable.",
            "The site is slow and confusing, I gave up on my basket. Annoying.",
        ],
    },
}
DE: dict[str, dict[str, list[str]]] = {
    "promoter": {
        "delivery": ["Am {day} bestellt, zwei Tage später da, perfekt verpackt. Danke!"],
        "choice": ["Die beste Auswahl an {genre}, die ich kenne, und das zu fairen Preisen."],
        "service": ["Sehr freundlich beraten worden, ich empfehle Sie gern weiter."],
        "shop": ["Die Bestellung war einfach und schnell, ich bin sehr zufrieden."],
    },
    "passive": {
        "delivery": ["Alles gut, nur die Lieferung dürfte etwas schneller sein."],
        "choice": ["Gute Auswahl, bei {genre} fehlt mir aber noch einiges."],
        "service": ["Der Kundendienst war nett, es hat nur etwas gedauert."],
        "shop": ["Der Shop ist in Ordnung, die Suche könnte besser sein."],
    },
    "detractor": {
        "delivery": [
            "Mein Paket kam {weeks} Wochen zu spät, und niemand hat mir etwas gesagt.",
            "Das Geburtstagsgeschenk kam leider nach dem Geburtstag. Sehr ärgerlich.",
        ],
        "choice": ["Die Hälfte war nicht lieferbar, das ist schon zum dritten Mal so."],
        "service": ["Drei Anfragen und drei verschiedene Antworten, das geht so nicht."],
        "shop": ["Die Kasse hat zweimal versagt, und ich wurde doppelt belastet."],
    },
}
#: a second sentence now and then
TAILS: dict[str, dict[str, list[str]]] = {
    "en": {
        "promoter": ["Keep it up!", "Will order again soon.", "Thank you.", "Five stars from me."],
        "passive": ["Might order again.", "Let's see next time.", "Overall okay."],
        "detractor": [
            "I want my money back.",
            "Please get this sorted.",
            "I will think twice before I order again.",
            "Not what I am used to from you.",
        ],
    },
    "de": {
        "promoter": ["Gern wieder!", "Vielen Dank."],
        "passive": ["Mal sehen.", "Insgesamt in Ordnung."],
        "detractor": ["Bitte melden Sie sich.", "So bestelle ich nicht noch einmal."],
    },
}
DAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
    "de": ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag"],
}
GENRES = {
    "en": ["jazz", "soul", "classical music", "folk", "hip-hop", "blues", "opera", "reggae"],
    "de": ["Jazz", "Soul", "Klassik", "Folk", "Hip-Hop", "Blues", "Oper", "Reggae"],
}
#: topic of a bad answer → what was wrong, and what was done
CAUSES = {
    "delivery": (
        "Late delivery",
        [
            "Traced the parcel, sent it again by courier and refunded the postage.",
            "Apologised on the phone; refunded ten dollars. Carrier was changed since.",
            "Customer had received it meanwhile. Explained what went wrong in the new warehouse.",
        ],
    ),
    "choice": (
        "Out of stock",
        ["Ordered it for the customer and set it aside.", "Found a second-hand copy in very good condition."],
    ),
    "service": (
        "Unclear answers",
        [
            "Called back with one answer and one name to ask for.",
            "Return arranged from the door, apology sent.",
        ],
    ),
    "shop": (
        "Checkout",
        [
            "Second booking refunded; the fault in the checkout is mended.",
            "Helped with the order on the phone.",
        ],
    ),
}


def comment(chance: random.Random, language: str, band: str, topic: str) -> str:
    """One or two sentences of a customer in this band about this topic."""
    language = "de" if language == "de" else "en"
    sentences = (DE if language == "de" else EN)[band][topic]
    text = chance.choice(sentences).format(
        day=chance.choice(DAYS[language]), genre=chance.choice(GENRES[language]), weeks=chance.choice("23345")
    )
    return f"{text} {chance.choice(TAILS[language][band])}" if chance.random() < 0.35 else text
