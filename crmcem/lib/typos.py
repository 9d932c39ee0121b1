"""Words that are one typing error away: few enough to ask an index for every one of them.

A trigram index finds little of a short word with an error: of the five trigrams of "wlof" only one is in "wolf".
"""

import unicodedata
from string import ascii_lowercase

#: longer words are found by their trigrams; of three letters a whole one is missing, or two are swapped: with another
#: letter they would be nearly every word of three
SHORTEST, LONGEST = 3, 12


def plain(text: str) -> str:
    """Lower case without accents, blanks as one."""
    spread = unicodedata.normalize("NFKD", str(text).casefold())
    return " ".join("".join(c for c in spread if not unicodedata.combining(c)).split())


def neighbours(word: str) -> list[str]:
    """The word itself (plain), and what it becomes by two letters swapped, one left out, one more or another one."""
    word = plain(word)
    if not SHORTEST <= len(word) <= LONGEST or not word.isalpha():
        return [word]
    letters = dict.fromkeys(ascii_lowercase + word)
    cuts = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    found = [word]
    found += [a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1]
    if len(word) > SHORTEST:
        found += [a + b[1:] for a, b in cuts if b]
        found += [a + c + b[1:] for a, b in cuts if b for c in letters]
    found += [a + c + b for a, b in cuts for c in letters]
    return list(dict.fromkeys(found))
