"""The manner of a title: what can be said of it without its words."""

import re
from collections.abc import Sequence

import numpy as np

from data.values import FloatArray

TITLE_NAMES = (
    "title_words", "title_word_length", "title_number", "title_begins_with_number", "title_question", "title_colon",
    "title_quote", "title_capitals", "title_you", "title_how", "title_pictures",
)  # fmt: skip
_YOU, _HOW, _PICTURES = (
    re.compile(rf"\b({words})\b", re.IGNORECASE) for words in ("you|your", "how|why|what", "photos?|videos?|pictures")
)


def title_features(titles: Sequence[str]) -> FloatArray:
    """(titles x TITLE_NAMES), counts and 0 or 1. The words asked for are English; in other languages they say 0."""
    return np.array([_manner(title) for title in titles], np.float32).reshape(len(titles), len(TITLE_NAMES))


def _manner(title: str) -> tuple[float, ...]:
    words = title.split()
    return (
        len(words), len(title) / max(len(words), 1), any(letter.isdigit() for letter in title),
        title[:1].isdigit(), "?" in title, ":" in title, any(mark in title for mark in "'\"‘“«„"),
        sum(word.isupper() for word in words), bool(_YOU.search(title)), bool(_HOW.search(title)),
        bool(_PICTURES.search(title)),
    )  # fmt: skip
