"""Text as every other room needs it: plain text from HTML, its language, its tokens, its fingerprint."""

from data.text.fold import fingerprint, fold
from data.text.html import html_to_text
from data.text.language import detect_language
from data.text.tokens import has_stemmer, tokens, words

__all__ = ["detect_language", "fingerprint", "fold", "has_stemmer", "html_to_text", "tokens", "words"]
