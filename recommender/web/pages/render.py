"""Templates and what they call: everything a page says is escaped, and no style or script is inline."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zlib import crc32

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from recommender.cards import locale

ICONS = Path(__file__).parents[1] / "static" / "icons"
HUES = 8  # classes hue-0 to hue-7 of the stylesheet


def render(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page."""
    body = environment().get_template(template).render(**values)
    headers = {"cache-control": "no-store", "vary": "accept"}
    return Response(body, status, headers, "text/html; charset=utf-8")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates with their filters."""
    made = Environment(
        loader=PackageLoader("recommender.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (segment, language_name, hue, initial, sentence, code, pretty)
    made.filters |= {filter_.__name__: filter_ for filter_ in filters}
    made.globals |= {"here": here, "icon_file": icon_file}
    return made


def here(path: str, **query: str | None) -> str:
    """An address on this site with the query parameters that have a value."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def segment(value: str) -> str:
    """An identifier as one segment of a path."""
    return quote(value, safe="")


def language_name(language: str) -> str:
    """A language in its own words, like "dansk"."""
    if locale(language).language != language.partition("-")[0].lower():
        return language
    return str(locale(language).get_display_name() or language)


def sentence(words: str) -> str:
    """The words with a capital first letter, the rest as it is."""
    return words[:1].upper() + words[1:]


def code(words: str) -> Markup:
    """The words with what stands between backticks as code."""
    parts = words.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(parts)
    )


def pretty(value: Any) -> str:
    """A JSON value over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def hue(key: str) -> int:
    """A colour of the monogram that stays with a source."""
    return crc32(key.encode()) % HUES


def initial(name: str) -> str:
    """The letter of the monogram: of the first word that is no article."""
    words = [word for word in name.split() if word.lower() not in {"the", "le", "la", "der", "die", "das", "el"}]
    return (words or name.split() or ["?"])[0][0].upper()


def icon_file(icon_url: str | None) -> str | None:
    """An icon that this site serves itself; None for any other, so that showing a page asks nobody else."""
    prefix = "/static/icons/"
    if icon_url and icon_url.startswith(prefix) and (ICONS / Path(icon_url.removeprefix(prefix)).name).is_file():
        return icon_url
    return None
