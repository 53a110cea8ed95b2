"""One folding of case, width and accents, used by the tokenizer and by the fingerprint."""

import hashlib
import re
import unicodedata

# Letters that Unicode does not decompose although readers type them plainly.
_PLAIN = {"ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
_LATIN_AND_GREEK = (*range(0x00C0, 0x0250), *range(0x1E00, 0x2000), *range(0x0386, 0x03D0))
# Combining accents, Hebrew points, Arabic vowel signs and tatweel. The kana voicing marks
# (U+3099, U+309A) are not here: they change the syllable, as Cyrillic "й" is another letter than "и".
_MARKS = (*range(0x0300, 0x0370), *range(0x0591, 0x05C8), *range(0x064B, 0x0653), 0x0640, 0x0670, 0x00AD, 0x200B)
_SEPARATORS = re.compile(r"[\W_]+")


def _accent_table() -> dict[int, str]:
    table = dict.fromkeys(_MARKS, "")
    for code in _LATIN_AND_GREEK:
        base = unicodedata.normalize("NFD", chr(code))
        if len(base) > 1 and not unicodedata.combining(base[0]):
            table[code] = "".join(c for c in base if not unicodedata.combining(c))
    table |= {ord(letter): plain for letter, plain in _PLAIN.items()}
    table[ord("ё")] = "е"
    return table


_ACCENTS = _accent_table()


def fold(text: str) -> str:
    """Text in one case, one width and without accents: ``"Ｃafé Øl"`` becomes ``"cafe ol"``.

    Kana keep their voicing marks and Han characters are untouched. Folding twice changes nothing more.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).translate(_ACCENTS)


def fingerprint(title: str, text: str) -> str:
    """32 hexadecimal digits that two copies of one article share.

    Case, width, accents, punctuation and white space do not count, so a reprint under another headline
    style is still the same text; a changed word or number is another text.
    """
    parts = (_SEPARATORS.sub("", fold(part)) for part in (title, text))
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
