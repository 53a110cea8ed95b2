"""The shapes other programs hand us, checked: articles, events, readers, devices.

Every field that is wrong is named with what to do about it; a shape that validates can be stored as it is.
"""

import re
import unicodedata
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AnyHttpUrl,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from data.clock import parse_instant, zone, zone_names

EventKind = Literal[
    "impression",
    "open",
    "read",
    "finish",
    "share",
    "save",
    "hide",
    "less_like_this",
    "push_open",
    "push_dismiss",
]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)
Lifetime = Literal["short", "medium", "long"]
EARLIEST_AT = datetime(1800, 1, 1, tzinfo=UTC)
LATEST_AT = datetime(2200, 1, 1, tzinfo=UTC)
FUTURE_GRACE = timedelta(minutes=5)  # phones' clocks run ahead a little

_http_url = TypeAdapter(AnyHttpUrl)


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        at = value
        if at.tzinfo is None:
            raise ValueError("has no offset; write RFC 3339 with one, like 2026-03-01T07:30:00+01:00")
        at = at.astimezone(UTC)
    elif isinstance(value, str):
        at = parse_instant_value(value)
    else:
        raise ValueError("is no RFC 3339 string, like 2026-03-01T07:30:00+01:00")
    if not EARLIEST_AT <= at <= LATEST_AT:
        raise ValueError("lies outside the years 1800 to 2199")
    return at


def parse_instant_value(text: str) -> datetime:
    """`parse_instant` whose error pydantic collects."""
    from data.errors import InvalidTime

    try:
        return parse_instant(text)
    except InvalidTime as error:
        raise ValueError(str(error)) from None


def _clean(value: Any) -> Any:
    """Drop what no database or page should hold: NUL and other control characters, lone surrogates."""
    if not isinstance(value, str):
        return value
    if value.isascii() and value.isprintable():
        return value
    return "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"})


def _one_line(value: Any) -> Any:
    return " ".join(_clean(value).split()) if isinstance(value, str) else value


def _zone(value: Any) -> Any:
    from data.errors import InvalidInput

    if not isinstance(value, str):
        return value  # what is no text is refused as such
    try:
        zone(value)
    except InvalidInput as error:
        raise ValueError(str(error)) from None
    return value


def _url(value: Any) -> Any:
    if isinstance(value, str):
        if not value.isprintable() or any(c.isspace() for c in value):
            raise ValueError("holds white space or control characters; percent-encode them")
        _http_url.validate_python(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("is no number; write it without quotes, like 4")
    return value


def _truth(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _time_of_day(value: Any) -> Any:
    if not isinstance(value, time) and not (isinstance(value, str) and _TIME_OF_DAY.fullmatch(value)):
        raise ValueError("is no local time of day, like 22:30")
    return value


def _visible(**told: Any) -> Any:
    """What the description says of a text that is cleaned before it is measured: something of it must be seen."""
    return Field(json_schema_extra={"pattern": VISIBLE, **told})


VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f]"
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")
_TIME_PATTERN = f"^{_TIME_OF_DAY.pattern}$"
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_one_line), _visible()]
Line = Annotated[str, StringConstraints(max_length=1_000), BeforeValidator(_one_line)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=1_000), BeforeValidator(_one_line), _visible()]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_one_line), _visible()]
Text = Annotated[str, StringConstraints(max_length=1_000_000), BeforeValidator(_clean)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2_000), BeforeValidator(_url)]
IconUrl = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^(https?://[!-~]+|/[A-Za-z0-9_.-][!-~]*)$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Zone = Annotated[str, BeforeValidator(_zone), Field(json_schema_extra={"enum": sorted(zone_names())})]
DailyCap = Annotated[int, Field(ge=0, le=50), BeforeValidator(_number)]
Truth = Annotated[bool, BeforeValidator(_truth)]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": _TIME_PATTERN, "examples": ["22:30"]}),
]
Topic = Annotated[str, StringConstraints(min_length=1, max_length=100), BeforeValidator(_one_line), _visible()]


class Shape(BaseModel):
    """An outside shape: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class SourceIn(Shape):
    """The outlet of an article. `id` may be left out where `name` is given: it is made from the name."""

    id: Identifier
    name: Name
    icon_url: IconUrl | None = None

    @model_validator(mode="before")
    @classmethod
    def _id_from_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"id": value, "name": value}
        if isinstance(value, dict):
            value = {"id": value.get("name"), "name": value.get("id"), **value}
        return value


class ArticleIn(Shape):
    """One article as a publisher hands it over: `id`, `url`, `title` and `published_at` are required."""

    id: Identifier
    url: Url
    title: Title
    published_at: Instant
    summary: Text = ""
    body: Text = Field("", description="Plain text or HTML")
    source: SourceIn | None = None
    author: Line | None = None
    category: Topic | None = None
    topics: list[Topic] = Field(default_factory=list, max_length=100)
    language: Language | None = None
    image_url: Url | None = None
    updated_at: Instant | None = None
    news_value: int | None = Field(None, ge=1, le=5)
    lifetime: Lifetime | None = None
    embargo_until: Instant | None = None
    places: list[Topic] = Field(default_factory=list, max_length=100)


class EventIn(Shape):
    """One thing a reader did with one article. `id` makes posting it twice harmless."""

    id: Identifier
    reader: Identifier
    article: Identifier
    kind: EventKind
    at: Instant
    dwell_s: float | None = Field(None, ge=0, le=86_400)
    served_id: Identifier | None = None
    position: int | None = Field(None, ge=0, le=10_000)
    surface: Identifier | None = None
    delivery_id: Identifier | None = None


class ReaderIn(Shape):
    """A reader's own choices; whatever is left out keeps its default."""

    id: Identifier
    zone: Zone = "UTC"
    language: Language = "en"
    push: Truth = True
    quiet_from: TimeOfDay = time(22)
    quiet_until: TimeOfDay = time(7)
    daily_cap: DailyCap = 4
    followed_topics: list[Topic] = Field(default_factory=list, max_length=500)
    muted_topics: list[Topic] = Field(default_factory=list, max_length=500)
    muted_sources: list[Identifier] = Field(default_factory=list, max_length=500)
    followed_stories: list[Identifier] = Field(default_factory=list, max_length=500)
    muted_stories: list[Identifier] = Field(default_factory=list, max_length=500)


class ReaderLists(Shape):
    """Entries to put into a reader's lists, or to take out of them."""

    followed_topics: list[Topic] = Field(default_factory=list, max_length=500)
    muted_topics: list[Topic] = Field(default_factory=list, max_length=500)
    muted_sources: list[Identifier] = Field(default_factory=list, max_length=500)
    followed_stories: list[Identifier] = Field(default_factory=list, max_length=500)
    muted_stories: list[Identifier] = Field(default_factory=list, max_length=500)


class ReaderPatch(Shape):
    """What to change of a reader's choices: whatever is left out stays, null gives the default again.

    `add` and `remove` change single entries of the lists, so that two phones of one reader do not undo each other.
    """

    zone: Zone | None = None
    language: Language | None = None
    push: Truth | None = None
    quiet_from: TimeOfDay | None = None
    quiet_until: TimeOfDay | None = None
    daily_cap: DailyCap | None = None
    followed_topics: Annotated[list[Topic], Field(max_length=500)] | None = None
    muted_topics: Annotated[list[Topic], Field(max_length=500)] | None = None
    muted_sources: Annotated[list[Identifier], Field(max_length=500)] | None = None
    followed_stories: Annotated[list[Identifier], Field(max_length=500)] | None = None
    muted_stories: Annotated[list[Identifier], Field(max_length=500)] | None = None
    add: ReaderLists | None = None
    remove: ReaderLists | None = None

    def applied(self, before: dict[str, Any]) -> ReaderIn:
        """The choices after the change; raises ValidationError where a list grows too long."""
        changed = self.model_dump(exclude_unset=True, exclude={"add", "remove"})
        defaults = ReaderIn(id=before["id"]).model_dump()
        after = before | {name: defaults[name] if value is None else value for name, value in changed.items()}
        add, remove = self.add or ReaderLists(), self.remove or ReaderLists()
        for name in ReaderLists.model_fields:
            kept = [one for one in after[name] if one not in getattr(remove, name)]
            after[name] = list(dict.fromkeys([*kept, *getattr(add, name)]))
        return ReaderIn.model_validate(after)


class DeviceIn(Shape):
    """One installation of the app: `fid` is the Firebase installation id, `app` the Firebase project it belongs to."""

    fid: Identifier
    platform: Literal["android", "ios", "web"]
    token: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] | None = None
    app_version: Name | None = None
    language: Language | None = None
    app: Annotated[str, StringConstraints(max_length=50)] = ""
    is_test: Truth = False


def reasons(error: ValidationError) -> str:
    """A validation error as one line: `field: what is wrong`, joined by semicolons."""
    return "; ".join(f"{where_of(item)}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors())


def where_of(item: Any) -> str:
    """The dotted place of one pydantic error item."""
    return ".".join(str(part) for part in item["loc"]) or "item"
