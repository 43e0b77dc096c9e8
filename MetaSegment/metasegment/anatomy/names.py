"""Names of structures as people type them, brought to one form: words without case, accents, order, plural and side.

Knows the words for left and right in six languages, and no structure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

LEFT, RIGHT = "left", "right"
_SIDES = {
    LEFT: "left lt sinister sinistra sinistrum sin links linke linker linkes linken gauche izquierdo izquierda izq 左",
    RIGHT: "right rt dexter dextra dextrum dex rechts rechte rechter rechtes rechten droit droite derecho derecha 右",
}
_SIDE_OF = {word: side for side, words in _SIDES.items() for word in words.split()}
_LETTERS = {"l": LEFT, "r": RIGHT}
#: Filler, and articles and such in the other languages.
_SKIPPED = frozenset(
    word
    for words in (
        "the a an of and on in to segmentation seg mask label roi contour contours whole entire structure both",
        "bilateral der die das des dem und du de la le les el los las del y et",
    )
    for word in words.split()
)
_NUMBERS = {
    word: str(number)
    for number, words in enumerate(
        (
            "first 1st erste erster erstes premier premiere primer primera primero",
            "second 2nd zweite zweiter zweites deuxieme segundo segunda",
            "third 3rd dritte dritter drittes troisieme tercer tercero tercera",
            "fourth 4th vierte vierter viertes quatrieme cuarto cuarta",
            "fifth 5th funfte funfter funftes cinquieme quinto quinta",
            "sixth 6th sechste sechster sixieme sexto sexta",
            "seventh 7th siebte siebter septieme septimo septima",
            "eighth 8th achte achter huitieme octavo octava",
            "ninth 9th neunte neunter neuvieme noveno novena",
            "tenth 10th zehnte zehnter dixieme decimo decima",
            "eleventh 11th elfte elfter onzieme undecimo undecima",
            "twelfth 12th zwolfte zwolfter douzieme duodecimo duodecima",
        ),
        start=1,
    )
    for word in words.split()
}
_UNCHANGED_ENDS = ("ss", "us", "is", "as", "os", "ps", "es")
_CJK = re.compile("[\u4e00-\u9fff]")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-Z])")
_ELIDED = re.compile(r"\b[ld]['’]")
_NUMBERED = re.compile(r"([a-z]{2,})(\d)")


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Returns words of a name in lower case, without accents and filler, singular, sorted; sides as `left`
    and `right`.
    """
    text = _CAMEL.sub(" ", name).replace("œ", "oe").replace("Œ", "oe").replace("æ", "ae").replace("ß", "ss")
    text = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    text = _ELIDED.sub(" ", text)
    text = _CJK.sub(lambda found: f" {found[0]} " if found[0] in _SIDE_OF else found[0], text)
    found = [word for word in re.split(r"[^0-9a-z\u4e00-\u9fff]+", _NUMBERED.sub(r"\1 \2", text)) if word]
    kept = [word for word in found if word not in _SKIPPED] or found
    return tuple(sorted(_singular(_NUMBERS.get(word, _side_word(word, len(kept)))) for word in kept))


def key_of(words: Iterable[str]) -> str:
    """Returns words as one string, the same for every order."""
    return " ".join(sorted(words))


def split_side(words: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Returns the side that words speak of ("" for none or both) and the words without it."""
    words = tuple(words)
    sides = {word for word in words if word in _SIDES}
    return (sides.pop() if len(sides) == 1 else ""), tuple(word for word in words if word not in _SIDES)


def _side_word(word: str, among: int) -> str:
    return _SIDE_OF.get(word) or (_LETTERS.get(word, word) if among > 1 else word)


def _singular(word: str) -> str:
    if word == "vertebrae":
        return "vertebra"
    if len(word) > 5 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(_UNCHANGED_ENDS) else word
