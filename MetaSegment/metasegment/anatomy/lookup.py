"""Which structure a name means, and how surely. What is not known, or could mean several things, stays unknown.

Misspelt words are found by deleting a letter on both sides, Garbe's SymSpell (2012); no dictionary is searched through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from .atlas import Structure, atlas
from .names import key_of, split_side, words_of

EXACT, SYNONYM, FUZZY = "exact", "synonym", "fuzzy"
_SHORTEST = 5  # letters of a word that may be misspelt: shorter ones are too alike
_LONG = 9  # letters from which two may be wrong
_MOST_READINGS = 16  # combinations of corrected words that are tried
_SYNONYM_SCORE, _NUMBERED_SCORE, _FUZZY_LEAST = 0.95, 0.9, 0.6
_ADJECTIVES = {
    "renal": "kidney", "hepatic": "liver", "pulmonary": "lung", "cerebral": "brain", "intracerebral": "brain",
    "splenic": "spleen", "pancreatic": "pancreas", "pleural": "pleura", "pericardial": "pericardium",
    "prostatic": "prostate", "ovarian": "ovary", "aortic": "aorta", "gastric": "stomach", "adrenal": "adrenal gland",
    "uterine": "uterus", "cardiac": "heart", "osseous": "bone", "subarachnoid": "subarachnoid space",
    "leber": "liver", "nieren": "kidney", "lungen": "lung", "hirn": "brain", "covid": "",
}  # fmt: skip


@dataclass(frozen=True)
class Match:
    """A recognised name.

    `how` is exact, synonym or fuzzy; `score` 0…1 is how sure that is; `place` is where a finding lies ("liver" of
    "liver cyst"), None for parts of the body.
    """

    structure: Structure
    how: str
    score: float
    place: Structure | None = None


@dataclass(frozen=True)
class _Index:
    structures: Mapping[str, frozenset[str]]  # by words, the names of the structures that they may mean
    primary: Mapping[str, str]  # by words, the structure that is called exactly so
    vocabulary: frozenset[str]
    kinds: frozenset[str]  # words of findings that may be said of a place


def recognise(name: str) -> Match | None:
    """Returns the structure that a name means, None where it is not known or not clear which is meant."""
    words = words_of(name)
    if not words:
        return None
    return _known(words) or _finding(words) or _numbered(words) or _misspelt(words)


def suggestions(typed: str, most: int = 10) -> list[str]:
    """Returns names of structures that begin with, or have a word that begins with, what was typed; the
    shortest first.
    """
    start = " ".join(typed.lower().replace("_", " ").split())
    if not start:
        return []
    found = {
        name: (not name.startswith(start), len(name), name)
        for name in atlas().structures
        if name.startswith(start) or f" {start}" in name
    }
    ranked = sorted(found, key=found.__getitem__)
    match = recognise(typed)
    if match and match.structure.name not in ranked[:most]:
        ranked.insert(0, match.structure.name)
    return ranked[:most]


def _known(words: tuple[str, ...]) -> Match | None:
    """Of words as they are, then of words without their side for what there are two of."""
    index = _index()
    if found := _only(index, key_of(words)):
        return _match(found, "", key_of(words) in index.primary)
    side, rest = split_side(words)
    found = _only(index, key_of(rest))
    if found and rest != words and (not side or atlas().structures[found].paired):
        return _match(found, side, key_of(rest) in index.primary)
    return None


def _only(index: _Index, key: str) -> str | None:
    if key in index.primary:
        return index.primary[key]
    found = index.structures.get(key, frozenset())
    return next(iter(found)) if len(found) == 1 else None


def _match(name: str, side: str, exact: bool) -> Match:
    structure = atlas().structures[f"{side} {name}" if side else name]
    return Match(structure, EXACT if exact else SYNONYM, 1.0 if exact else _SYNONYM_SCORE)


def _finding(words: tuple[str, ...]) -> Match | None:
    """A finding with its place, such as "left renal cyst"."""
    for word in words:
        kind = _known((word,)) if word in _index().kinds else None
        if kind and kind.structure.located:
            rest = [other for other in words if other != word]
            rest = [part for other in rest for part in words_of(_ADJECTIVES.get(other, other))]
            place = _known(tuple(rest))
            if place and not place.structure.located:
                return Match(kind.structure, SYNONYM, _SYNONYM_SCORE, place.structure)
    return None


def _numbered(words: tuple[str, ...]) -> Match | None:
    """Without a number that only tells one segment of a name from the next."""
    rest = tuple(word for word in words if not word.isdigit())
    match = (_known(rest) or _finding(rest)) if rest and len(rest) < len(words) else None
    return replace(match, how=SYNONYM, score=_NUMBERED_SCORE) if match else None


def _misspelt(words: tuple[str, ...]) -> Match | None:
    """The one structure that words mean once misspelt ones are put right; its score falls with the letters changed."""
    readings = [_readings(word) for word in words]
    if not all(readings):
        return None
    found: dict[tuple[str, str], Match] = {}
    for count, reading in enumerate(product(*readings)):
        if count >= _MOST_READINGS:
            break
        corrected = tuple(sorted(word for word, _ in reading))
        match = _known(corrected) or _finding(corrected)
        if match is None:
            continue
        changed = sum(edits for _, edits in reading) / sum(len(word) for word in words)
        score = round(_SYNONYM_SCORE * (1 - 2 * changed), 3)
        key = match.structure.name, match.place.name if match.place else ""
        if score >= _FUZZY_LEAST and (key not in found or found[key].score < score):
            found[key] = Match(match.structure, FUZZY, score, match.place)
    best = sorted(found.values(), key=lambda match: -match.score)
    clear = best and (len(best) == 1 or best[0].score > best[1].score)
    return best[0] if clear else None


def _readings(word: str) -> list[tuple[str, int]]:
    """Words of the vocabulary that a word may be meant as, with the letters that differ; itself where it is one."""
    index = _index()
    if word in index.vocabulary:
        return [(word, 0)]
    if len(word) < _SHORTEST or word.isdigit():
        return []
    most = 2 if len(word) >= _LONG else 1
    near: set[str] = set()
    for part in _deletions(word, most):
        near |= _deleted().get(part, set())
    found = [(other, edits) for other in near if (edits := _distance(word, other, most)) <= most]
    least = min((edits for _, edits in found), default=0)
    return [(other, edits) for other, edits in found if edits == least]


def _deletions(word: str, most: int) -> set[str]:
    """The word with up to `most` letters left out."""
    found = {word}
    for _ in range(most):
        found |= {part[:n] + part[n + 1 :] for part in found for n in range(len(part))}
    return found


def _distance(one: str, other: str, most: int) -> int:
    """Letters left out, added, changed or swapped with the next between two words (optimal string alignment)."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before, last = [0] * (len(other) + 1), list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        now = [i]
        for j, b in enumerate(other, 1):
            now.append(min(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                now[j] = min(now[j], before[j - 2] + 1)
        before, last = last, now
    return last[-1]


@cache
def _index() -> _Index:
    structures: dict[str, set[str]] = {}
    primary: dict[str, str] = {}
    kinds: set[str] = set()
    for structure in atlas().structures.values():
        if not structure.side:
            primary[key_of(words_of(structure.name))] = structure.name
        for spelling in _spellings(structure):
            words = words_of(spelling)
            structures.setdefault(key_of(words), set()).add(structure.name)
            if structure.located and len(words) == 1:
                kinds.add(words[0])
    vocabulary = frozenset(word for key in structures for word in key.split())
    vocabulary |= {word for adjective in _ADJECTIVES for word in words_of(adjective)}
    return _Index({key: frozenset(names) for key, names in structures.items()}, primary, vocabulary, frozenset(kinds))


@cache
def _deleted() -> Mapping[str, set[str]]:
    """By a word without some of its letters, the words of the vocabulary that it may be."""
    found: dict[str, set[str]] = {}
    for word in _index().vocabulary:
        if len(word) >= _SHORTEST - 1 and word.isascii():
            for part in _deletions(word, 2 if len(word) >= _LONG - 1 else 1):
                found.setdefault(part, set()).add(word)
    return found


def _spellings(structure: Structure) -> Iterator[str]:
    if not structure.side:  # a side is taken off a name before it is looked up
        yield structure.name
    for language, names in structure.names.items():
        for name in names:
            yield name
            if language == "de":
                yield from _without_umlauts(name)


def _without_umlauts(name: str) -> Iterable[str]:
    plain = name
    for letter, pair in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue")):
        plain = plain.replace(letter, pair)
    return (plain,) if plain != name else ()
