"""Which language a text is written in."""

import re
from typing import Final

import py3langid

UNDETERMINED: Final = "und"
_SHORT_LETTERS = 24  # below this many letters the byte statistics of py3langid are guesses
_SURE_NATS = 8.0  # how much likelier another language must be before a feed's own word is overruled
_SAMPLE_CHARACTERS = 4000
_LATIN_TAGS = "af az ca cs cy da de en es et eu fi fr ga hr hu id is it lt lv ms nl no pl pt ro sk sl sq sv sw tl tr vi"
_LATIN = frozenset(_LATIN_TAGS.split())
_LETTERS = re.compile(r"[^\W\d_]")
_LATIN_LETTERS = re.compile(r"[a-zA-Z\u00c0-\u024f]")
_KANA = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7a3\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
)
_NAMES = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "wuu": "zh", "yue": "zh", "cmn": "zh", "tgl": "tl"}


def base_language(tag: str | None) -> str | None:
    """The language of a tag such as ``en-US`` or ``zh_Hans``: ``en``, ``zh``; None when there is none."""
    code = re.split(r"[-_]", (tag or "").strip().lower())[0]
    if not re.fullmatch(r"[a-z]{2,3}", code) or code == UNDETERMINED:
        return None
    return _NAMES.get(code, code)


def detect_language(text: str, hint: str | None = None) -> str:
    """The language of a text as a two-letter code (``en``, ``da``, ``ja``), or ``und`` when it has no letters.

    The script decides where only one language we serve uses it. A hint (what the feed claims) wins on short
    texts and whenever the detector is not clearly of another opinion; a few plain letters without a hint are
    taken for English.
    """
    sample, claimed = text[:_SAMPLE_CHARACTERS], base_language(hint)
    letters = len(_LETTERS.findall(sample))
    if not letters:
        return claimed or UNDETERMINED
    return _by_script(sample, letters, claimed) or _by_statistics(sample, letters, claimed)


def _by_script(sample: str, letters: int, claimed: str | None) -> str | None:
    kana = len(_KANA.findall(sample))
    for language, script in _SCRIPTS:
        count = len(script.findall(sample))
        if language == "zh" and 2 * (count + kana) > letters:
            # A headline in pure Han may be Japanese: then only the feed can know.
            return "ja" if 20 * kana > letters or claimed == "ja" else "zh"
        if 2 * count > letters:
            return language
    return None


def _by_statistics(sample: str, letters: int, claimed: str | None) -> str:
    short = letters < _SHORT_LETTERS
    if claimed and short:
        return claimed
    prior = claimed or ("en" if short and sample.isascii() else None)
    scores = [(_NAMES.get(language, language), float(score)) for language, score in py3langid.rank(sample)]
    if _mostly_latin(sample, letters):
        scores = [pair for pair in scores if pair[0] in _LATIN or pair[0] == prior]
    best, best_score = scores[0]
    prior_score = dict(reversed(scores)).get(prior or "")
    sure = prior_score is None or best_score - prior_score > _SURE_NATS
    return best if prior is None or sure else prior


def _mostly_latin(sample: str, letters: int) -> bool:
    return sample.isascii() or 2 * len(_LATIN_LETTERS.findall(sample)) > letters
