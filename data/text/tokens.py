"""The one tokenizer of index, stories and search: script by script, folded, stemmed, without function words."""

import re
from itertools import pairwise
from threading import Lock

import Stemmer

from data.text.fold import fold
from data.text.language import base_language
from data.text.stopwords import STOP_WORDS

_SNOWBALL = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Inflected languages without a stemmer here: the first letters of a word serve as its stem.
_CUT = frozenset(("be", "bg", "cs", "hr", "lv", "mk", "pl", "sk", "sl", "sr", "uk"))
_CUT_LETTERS = 5
# Scripts written without spaces, and Hangul, whose particles cling to the noun: overlapping pairs.
_PAIRED = (
    r"\u3005-\u3007\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uac00-\ud7a3\u1100-\u11ff\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf\u1000-\u103f\u1780-\u17d3"
    r"\U00020000-\U0003ffff"
)
# Indic vowel signs are no letters to `re`, though words are written with them.
_LETTER = rf"(?:[^\W_{_PAIRED}]|[\u0900-\u0963\u0971-\u0d7f])"
_INITIALS, _NUMBER = r"\b(?:[^\W\d_]\.){2,}", r"\d+(?:[.,]\d+)+"
_TOKEN = re.compile(rf"[{_PAIRED}]+|{_INITIALS}|{_NUMBER}|{_LETTER}+")
_IS_PAIRED = re.compile(rf"[{_PAIRED}]")
# Most ASCII texts hold none of these, and are a run of plain words then: five times faster to cut.
_MARKED = re.compile(r"[.,](?:(?<=\d[.,])\d|(?<=\b[^\W\d_]\.)[^\W\d_]\.)", re.ASCII)
_PLAIN = re.compile(r"[^\W_]+", re.ASCII)
_THOUSANDS = re.compile(r"[.,](?=\d{3}(?!\d))")
_STEMS_KEPT = 400_000

_stemmers: dict[str, Stemmer.Stemmer] = {}
_stems: dict[str, dict[str, str]] = {}
_lock = Lock()


def has_stemmer(language: str) -> bool:
    """Whether a stemmer knows this language; where none does, pieces of words help more (see `vectors`)."""
    return (base_language(language) or "") in _SNOWBALL


def tokens(text: str, language: str) -> list[str]:
    """The index terms of a text, in order, repetitions kept.

    Words are folded, freed of the language's function words and stemmed (Czech and its like: cut to five letters);
    Han, kana, Hangul, Thai and their like become overlapping pairs of characters; numbers stay. Runs of different
    scripts in one text are treated each in its own way. An unknown language is neither stemmed nor stopped.
    """
    code = base_language(language) or ""
    stems = _stems.get(code)
    if stems is None:
        stems = _stems.setdefault(code, {})
    pieces = _pieces(text)
    found = [
        stem if stem is not None else _stem(piece, code, stems)
        for piece, stem in zip(pieces, map(stems.get, pieces), strict=True)
    ]
    return [stem for stem in found if stem]


def words(text: str) -> list[str]:
    """The folded words, numbers and character pairs of a text before stop words and stemming."""
    return [piece for piece in _pieces(text) if piece]


def _pieces(text: str) -> list[str]:
    folded = fold(text)
    if folded.isascii() and not _MARKED.search(folded):
        return _PLAIN.findall(folded)
    made: list[str] = []
    for piece in _TOKEN.findall(folded):
        if _IS_PAIRED.match(piece):
            made.extend(map("".join, pairwise(piece)) if len(piece) > 1 else [piece])
        elif "." in piece or "," in piece:
            made.append(_THOUSANDS.sub("", piece) if piece[0].isdigit() else piece.replace(".", ""))
        else:
            made.append(piece)
    return made


def _stem(piece: str, code: str, stems: dict[str, str]) -> str:
    """The stem of one folded piece, remembered; empty for what carries no subject."""
    if piece in STOP_WORDS.get(code, ()) or (len(piece) == 1 and piece.isalpha() and piece < "\u0370"):
        stem = ""
    elif code in _CUT and piece.isalpha() and piece < "\u0e00":
        stem = piece[:_CUT_LETTERS]
    elif code not in _SNOWBALL or not piece.isalpha():
        stem = piece
    else:
        with _lock:  # a Snowball stemmer works in one buffer
            if code not in _stemmers:
                _stemmers[code] = Stemmer.Stemmer(_SNOWBALL[code], 0)
            stem = _stemmers[code].stemWord(piece)
    if len(stems) >= _STEMS_KEPT:
        stems.clear()
    stems[piece] = stem
    return stem
