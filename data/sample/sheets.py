"""The hand-written fact sheets of the stories, read from the TOML files beside this module."""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

_HEAD = re.compile(r"(?P<stage>\d)(?P<keep>\+?)(?P<letters>[A-Z]*) (?P<rest>.*)")
_FLAGS = ("title-only", "embargoed", "retracted")


@dataclass(frozen=True, slots=True)
class Piece:
    """One article to write: at which stage of the story, by whom, and its own headline and first sentence.

    A syndicated piece has `copy_of`, the letter of the outlet whose piece of the same stage it repeats, and no words.
    """

    stage: int
    letter: str
    title: str = ""
    lead: str = ""
    flag: str = ""
    copy_of: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known from a stage on; stage 0 was known before the story began; `lasting` facts
    still read right in later reports."""

    stage: int
    letters: str
    text: str
    authority: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """Words somebody said at a stage, to some outlets or to all."""

    stage: int
    letters: str
    name: str
    role: str
    words: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything known about one story. `start_h` is hours before now, `offsets_h` hours from the start, per stage."""

    slug: str
    category: str
    language: str
    topics: tuple[str, ...]
    places: tuple[str, ...]
    value: int
    life: str
    start_h: float
    offsets_h: tuple[float, ...]
    recap: str
    pieces: tuple[Piece, ...]
    facts: tuple[Fact, ...]
    quotes: tuple[Quote, ...]


@lru_cache(maxsize=1)
def load_sheets() -> tuple[Sheet, ...]:
    """All stories, in order of file name and place in the file."""
    found = []
    folder = files("data.sample") / "stories"
    for path in sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name):
        sheet_file = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [_sheet({"category": sheet_file["category"], **story}) for story in sheet_file["story"]]
    return tuple(found)


def _sheet(raw: dict[str, Any]) -> Sheet:
    return Sheet(
        slug=raw["slug"],
        category=raw["category"],
        language=raw.get("language", "en"),
        topics=tuple(raw["topics"]),
        places=tuple(raw["places"]),
        value=raw["value"],
        life=raw["life"],
        start_h=float(raw["start_h"]),
        offsets_h=tuple(float(hours) for hours in raw.get("offsets_h", ())),
        recap=raw.get("recap", ""),
        pieces=tuple(_piece(line) for line in raw["articles"].strip().splitlines()),
        facts=tuple(_fact(line) for line in raw["facts"].strip().splitlines()),
        quotes=tuple(_quote(line) for line in raw["quotes"].strip().splitlines()),
    )


def _piece(line: str) -> Piece:
    head, *words = (part.strip() for part in line.split(" :: "))
    stage, letter, *flags = head.split()
    if flags[:1] == ["copy"]:
        return Piece(int(stage), letter, copy_of=flags[1])
    if len(words) != 2 or not set(flags) <= set(_FLAGS):
        raise ValueError(f"write 'stage OUTLET :: headline :: first sentence', not {line!r}")
    return Piece(int(stage), letter, words[0], words[1], flag=" ".join(flags))


def _fact(line: str) -> Fact:
    match = _HEAD.fullmatch(line)
    if match is None:
        raise ValueError(f"write 'stage[+][OUTLETS] fact', not {line!r}")
    rest, authority = match["rest"], ""
    if rest.startswith("@"):
        authority, rest = rest.removeprefix("@").split(" :: ", 1)
    return Fact(int(match["stage"]), match["letters"], rest.strip(), authority, bool(match["keep"]))


def _quote(line: str) -> Quote:
    match = _HEAD.fullmatch(line)
    if match is None:
        raise ValueError(f"write 'stage[OUTLETS] Name, role :: words', not {line!r}")
    who, words = match["rest"].split(" :: ", 1)
    name, _, role = who.partition(", ")
    return Quote(int(match["stage"]), match["letters"], name, role, words.strip())
