"""The shapes other programs hand us, checked: articles, events, readers, devices.

Every field that is wrong is named with what to do about it; a shape that validates can be stored as it is.
"""

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
    model_validator,
)

from data.clock import parse_instant, zone

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


def _zone(value: str) -> str:
    from data.errors import InvalidInput

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


Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_one_line)]
Line = Annotated[str, StringConstraints(max_length=1_000), BeforeValidator(_one_line)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=1_000), BeforeValidator(_one_line)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_one_line)]
Text = Annotated[str, StringConstraints(max_length=1_000_000), BeforeValidator(_clean)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2_000), BeforeValidator(_url)]
IconUrl = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^(https?://[!-~]+|/[A-Za-z0-9_.-][!-~]*)$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Zone = Annotated[str, BeforeValidator(_zone)]
Topic = Annotated[str, StringConstraints(min_length=1, max_length=100), BeforeValidator(_one_line)]


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
    push: bool = True
    quiet_from: time = time(22)
    quiet_until: time = time(7)
    daily_cap: int = Field(4, ge=0, le=50)
    followed_topics: list[Topic] = Field(default_factory=list, max_length=500)
    muted_topics: list[Topic] = Field(default_factory=list, max_length=500)
    muted_sources: list[Identifier] = Field(default_factory=list, max_length=500)
    followed_stories: list[Identifier] = Field(default_factory=list, max_length=500)
    muted_stories: list[Identifier] = Field(default_factory=list, max_length=500)


class DeviceIn(Shape):
    """One installation of the app: `fid` is the Firebase installation id, `app` the Firebase project it belongs to."""

    fid: Identifier
    platform: Literal["android", "ios", "web"]
    token: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] | None = None
    app_version: Name | None = None
    language: Language | None = None
    app: Annotated[str, StringConstraints(max_length=50)] = ""
    is_test: bool = False


def reasons(error: ValidationError) -> str:
    """A validation error as one line: `field: what is wrong`, joined by semicolons."""
    return "; ".join(f"{where_of(item)}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors())


def where_of(item: Any) -> str:
    """The dotted place of one pydantic error item."""
    return ".".join(str(part) for part in item["loc"]) or "item"
