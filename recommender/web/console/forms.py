"""What a form sent: read once, bounded, cleaned; every field is text until it is asked for otherwise."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl

from data.clock import zone
from data.errors import InvalidInput, TooLarge

LARGEST_FORM = 100_000  # bytes
MOST_FIELDS = 500
LONGEST_TEXT = 2_000


class FormError(InvalidInput):
    """One field that cannot be taken; the page shows it beside the field, with what was typed kept."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Form:
    """The fields of a form or query, in the order sent."""

    fields: Sequence[tuple[str, str]] = ()
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: bytes) -> "Form":
        """Read `application/x-www-form-urlencoded`; TooLarge or InvalidInput for what no form of ours sends."""
        if len(body) > LARGEST_FORM:
            raise TooLarge(f"The form is larger than {LARGEST_FORM:,} bytes; shorten what you wrote.")
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except (UnicodeDecodeError, ValueError):
            raise InvalidInput("The form could not be read; load the page again and repeat.") from None
        return cls(tuple((name, clean(value)) for name, value in pairs))

    def __contains__(self, name: str) -> bool:
        return any(name == one for one, _ in self.fields)

    def text(self, name: str, default: str = "", *, longest: int = LONGEST_TEXT) -> str:
        """The first value of a field, stripped; the default if it is not there."""
        found = next((value.strip() for one, value in self.fields if one == name), default)
        if len(found) > longest:
            raise FormError(name, f"Write at most {longest:,} characters.")
        return found

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value.strip() for one, value in self.fields if one == name]

    def required(self, name: str, what: str, *, longest: int = LONGEST_TEXT) -> str:
        """A field that must not be empty; `what` names it: "a reason"."""
        found = self.text(name, longest=longest)
        if not found:
            raise FormError(name, f"Write {what}.")
        return found

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """A field with one of some values."""
        found = self.text(name, default or "")
        if found not in choices:
            raise FormError(name, f"Choose one of: {', '.join(choices)}.")
        return found

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number within bounds; a comma counts as the decimal point."""
        written = self.text(name)
        if not written and default is not None:
            return default
        try:
            found = float(written.replace(",", "."))
        except ValueError:
            raise FormError(name, f"Write a number from {low:g} to {high:g}.") from None
        if not (isfinite(found) and low <= found <= high):
            raise FormError(name, f"Write a number from {low:g} to {high:g}.")
        return found

    def time(self, name: str, now: datetime, zone_name: str, what: str = "a time") -> datetime:
        """An instant ahead, written as local date and time (`2026-03-02T18:00`) in the newsroom's zone."""
        written = self.required(name, what)
        try:
            at = datetime.fromisoformat(written)
        except ValueError:
            raise FormError(name, "Write date and time, like 2026-03-02T18:00.") from None
        at = at.replace(tzinfo=zone(zone_name)) if at.tzinfo is None else at
        if not now < at < now + timedelta(days=366):
            raise FormError(name, "Choose a time ahead, within a year.")
        return at.astimezone(now.tzinfo)

    def as_dict(self) -> dict[str, Any]:
        """The fields as typed, for a page that shows the form again."""
        return dict(self.fields)


def clean(value: str) -> str:
    """Without control characters (line ends and tabs stay) and lone surrogates: no page and no database wants them."""
    kept = (c for c in value.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"})
    return "".join(kept)
