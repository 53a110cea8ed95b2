"""Turns facts into text: picks wordings, attributes them, sets quotes, and keeps each outlet's own habits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from data.sample.outlets import Outlet
from data.sample.sheets import Fact, Piece, Quote, Sheet

Say = Callable[[str], str]  # a sentence with its wordings picked, spelt the outlet's way

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_PRONOUNS = ("He ", "She ", "It ", "They ", "Its ", "Her ", "His ", "The latter ", "Such ", "Those ", "Each ")
_NAMES = ("Brazil's", "Lorvia")  # first words of attributed facts that keep their capital inside a sentence
_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "da": ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"),
    "ja": ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"),
    "cs": ("pondělí", "úterý", "středu", "čtvrtek", "pátek", "sobotu", "neděli"),
}
_SHORT_WORDS = 105  # an English report below this length gets another sentence where there is one


@dataclass(frozen=True, slots=True)
class Text:
    """A written article."""

    title: str
    summary: str
    body: str


def write(sheet: Sheet, piece: Piece, outlet: Outlet, *, weekdays: tuple[int, ...], turn: int, rng: Random) -> Text:
    """One article from its fact sheet.

    `weekdays[s - 1]` is the weekday (Monday 0) of stage s; `turn` counts the earlier pieces of the same stage, so
    that outlets do not all take the same quote.
    """
    names = {f"d{stage}": _WEEKDAYS[sheet.language][day] for stage, day in enumerate(weekdays, start=1)}

    def say(text: str) -> str:
        return outlet.spell(_pick(text, rng).format(**names))

    title, lead = say(piece.title), say(piece.lead)
    if piece.flag == "title-only":
        return Text(title, "", "")
    told = [fact for fact in sheet.facts if fact.stage == piece.stage and _fits(fact, outlet)]
    told = _some(told, rng, in_order=sheet.category == "sport")
    sentences = [_state(fact, say, sheet.language, rng) for fact in told]
    spoken = _voices(sheet, piece, outlet)
    quote = spoken[turn % len(spoken)] if spoken else None
    paragraphs = [[_dateline(sheet, outlet) + lead, *sentences[:1]]]
    paragraphs.append([_set_quote(quote, outlet, sheet.language, rng)] if quote else [])
    paragraphs.append(sentences[1:])
    fewest = 1 if quote and sheet.language == "en" else 2  # the other languages have shorter sheets
    paragraphs.append(_background(sheet, piece, outlet, say, rng, fewest=fewest))
    if _length(paragraphs) < _SHORT_WORDS or rng.random() < 0.3:
        paragraphs.append(_second_voice(sheet, piece, quote, outlet, rng))
    if sheet.language == outlet.language and (_length(paragraphs) < _SHORT_WORDS or rng.random() < 0.2):
        paragraphs.append([outlet.spell(rng.choice(outlet.closers))])
    between = "" if sheet.language == "ja" else " "
    return Text(title, lead, "\n\n".join(between.join(part) for part in paragraphs if part))


def _pick(text: str, rng: Random) -> str:
    return _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)


def _fits(told: Fact | Quote, outlet: Outlet) -> bool:
    return not told.letters or outlet.letter in told.letters


def _voices(sheet: Sheet, piece: Piece, outlet: Outlet) -> list[Quote]:
    """Who speaks to this outlet at this stage: those who speak to it alone, or else those who speak to everybody."""
    heard = [quote for quote in sheet.quotes if quote.stage == piece.stage and _fits(quote, outlet)]
    return [quote for quote in heard if quote.letters] or heard


def _some(facts: list[Fact], rng: Random, *, in_order: bool) -> list[Fact]:
    """Most of the facts, those for this outlet alone always; order changes where no pronoun or match leans on it."""
    keep = max(3, len(facts) - rng.randint(0, 1))
    own = [fact for fact in facts if fact.letters]
    common = [fact for fact in facts if not fact.letters]
    wanted = max(0, keep - len(own))
    chosen = set(rng.sample(range(len(common)), min(wanted, len(common))))
    told = [fact for index, fact in enumerate(common) if index in chosen]
    if not in_order and not any(fact.text.startswith(_PRONOUNS) for fact in told):
        rng.shuffle(told)
    return [*told[:1], *own, *told[1:]] if told else own


def _state(fact: Fact, say: Say, language: str, rng: Random) -> str:
    """A fact as a sentence, attributed in one of four ways where it has an authority."""
    text = say(fact.text)
    if not fact.authority or language != "en":
        return text
    authority, text = say(fact.authority), text.rstrip(".")
    first, _, rest = text.partition(" ")
    frames = [f"{text}, {authority} said.", f"{text}, according to {authority}."]
    inner = f"{first if first in _NAMES else first.lower()} {rest}"
    frames += [f"According to {authority}, {inner}.", f"{authority[0].upper()}{authority[1:]} said that {inner}."]
    return rng.choice(frames)


def _set_quote(quote: Quote, outlet: Outlet, language: str, rng: Random) -> str:
    words = outlet.spell(quote.words)
    opening, closing = outlet.quote_marks
    first, *others = _SENTENCE_END.split(words)
    if language != "en":
        return _FOREIGN_QUOTES[language].format(words=words, bare=words.rstrip("."), name=quote.name, role=_role(quote))
    after = f" {opening}{' '.join(others)}{closing}" if others else ""
    start = first[:-1] + "," if first.endswith(".") else first
    who = _named(quote)
    frames = [f"{opening}{start}{closing} said {who}.{after}"]
    if quote.role.startswith(("in ", "after ", "for ", "of ")):
        return outlet.spell(frames[0])
    separator = ", " if quote.role else ""
    frames.append(f"{quote.name}{separator}{quote.role}{',' if quote.role else ''} said: {opening}{words}{closing}")
    frames.append(f"{opening}{start}{closing} {who}{',' if quote.role else ''} told {outlet.name}.{after}")
    return rng.choice(frames)


def _named(quote: Quote) -> str:
    """The speaker with the role, as it stands after the words."""
    if not quote.role:
        return quote.name
    comma = "" if quote.role.startswith(("in a ", "after ", "for ")) else ","
    return f"{quote.name}{comma} {quote.role}"


def _role(quote: Quote) -> str:
    return f", {quote.role}" if quote.role else ""


_FOREIGN_QUOTES = {
    "da": "»{bare},« siger {name}{role}.",
    "cs": "„{bare},“ říká {name}{role}.",
    "ja": "{name}は「{words}」と話している。",
}


def _background(sheet: Sheet, piece: Piece, outlet: Outlet, say: Say, rng: Random, *, fewest: int) -> list[str]:
    """What a reader should know besides: what came before (not for a first report), and one or two standing facts."""
    recap = [say(sheet.recap)] if sheet.recap and piece.stage > 1 else []
    standing = [fact for fact in sheet.facts if fact.stage == 0]
    earlier = [fact for fact in sheet.facts if 0 < fact.stage < piece.stage and fact.lasting and _fits(fact, outlet)]
    chosen = _in_order(earlier, rng.randint(fewest, 2), rng) + _in_order(standing, rng.randint(fewest, 2), rng)
    return recap + [_state(fact, say, sheet.language, rng) for fact in chosen]


def _in_order(facts: list[Fact], many: int, rng: Random) -> list[Fact]:
    """So many of the facts at random, in the order of the sheet."""
    return [facts[index] for index in sorted(rng.sample(range(len(facts)), min(many, len(facts))))]


def _second_voice(sheet: Sheet, piece: Piece, quote: Quote | None, outlet: Outlet, rng: Random) -> list[str]:
    """A second voice of the same stage, or none."""
    others = [other for other in _voices(sheet, piece, outlet) if other != quote]
    return [_set_quote(others[0], outlet, sheet.language, rng)] if others else []


def _dateline(sheet: Sheet, outlet: Outlet) -> str:
    if not outlet.dateline or sheet.language != "en" or not sheet.places:
        return ""
    town = "Port Calder" if sheet.places[0] == "Lorvia" else sheet.places[0]
    return f"{town.upper()} (Ledger Wire) – "


def _length(paragraphs: list[list[str]]) -> int:
    return sum(len(sentence.split()) for part in paragraphs for sentence in part)
