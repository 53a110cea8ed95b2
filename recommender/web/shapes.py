"""The shapes of API version 1 that are not in `data.wire`: queries and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from data.errors import InvalidInput
from data.values import ReaderRow
from data.wire import Identifier, Instant, Language, Topic, reasons

_identifier = TypeAdapter[str](Identifier)


class Query(BaseModel):
    """Query parameters: an unknown one is an error, because it may be misspelt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdigit()):
        raise ValueError("is no whole number, like 20")
    return value


def _true_or_false(value: Any) -> Any:
    if value not in (True, False, "true", "false"):
        raise ValueError("is neither true nor false")
    return value


def _since(value: Any) -> Any:
    return value if value == "last_visit" else _instant.validate_python(value)


_instant = TypeAdapter[datetime](Instant)
Since = Annotated[
    datetime | Literal["last_visit"],
    PlainValidator(_since),
    WithJsonSchema({"anyOf": [{"const": "last_visit"}, {"type": "string", "format": "date-time"}]}),
]
Whole = Annotated[int, BeforeValidator(_digits)]
Flag = Annotated[bool, BeforeValidator(_true_or_false)]


class RelatedQuery(Query):
    """How many articles to put under a story, for whom, in which language."""

    limit: Whole = Field(10, ge=1, le=100, description="Most cards to answer")
    reader: Identifier | None = Field(None, description="Leave out what this reader has read or muted")
    language: Language | None = Field(None, description="Only articles in this language")

    @property
    def is_kept(self) -> bool:
        """Whether such a list is kept in memory: the one that everybody gets."""
        return not self.reader


class ForYouQuery(Query):
    """How many articles to list, and which."""

    limit: Whole = Field(20, ge=1, le=100, description="Most cards to answer")
    cursor: str | None = Field(None, min_length=1, max_length=4_000, description="`next` of the page before")
    category: Topic | None = Field(None, description="Only articles of this category")
    language: Language | None = Field(None, description="Only articles in this language")
    since: Since | None = Field(
        None, description="Put first what mattered since then: a time, or `last_visit` of this reader; 48 hours at most"
    )
    explain: Flag = Field(False, description="Add the score and its parts to each card")
    exclude: list[Identifier] = Field(
        default_factory=list, max_length=500, description="Articles not to list; repeat the parameter for each"
    )

    @property
    def is_kept(self) -> bool:
        """Whether such a list is kept in memory: a first page that nothing of the moment decides."""
        return not (self.cursor or self.explain or self.exclude or self.since)


class Rejected(BaseModel):
    """An item that was not taken; the others were."""

    index: int = Field(description="Place in the list that was sent, from 0")
    reason: str


class ArticlesAnswer(BaseModel):
    """What became of the articles."""

    new: int
    changed: int
    same: int
    rejected: list[Rejected]


class EventsAnswer(BaseModel):
    """What became of the events; what is accepted is on disk."""

    accepted: int
    duplicate: int = Field(description="Known by their id already: posting again is harmless")
    rejected: list[Rejected]


class CardSource(BaseModel):
    """The outlet on a card."""

    id: str
    name: str
    icon_url: str | None


class CardShape(BaseModel):
    """One recommended article, ready to show."""

    article_id: str
    title: str
    source: CardSource | None
    published_at: Instant
    age: str = Field(description='Like "3 hours ago", in the language of the reader')
    excerpt: str
    image_url: str | None
    url: str
    category: str | None
    language: str
    story_id: str | None
    story_size: int = Field(description="How many outlets report the story")
    why: str = Field(description="A sentence on why it is here")
    score: float | None = Field(None, description="With `explain=true`: the sum of the parts")
    parts: dict[str, float] | None = Field(None, description="With `explain=true`: what each signal adds")


class RelatedAnswer(BaseModel):
    """What to read after an article."""

    served_id: str = Field(description="Send it back with the events that this list leads to")
    fallback: str | None = Field(
        description="Null when the articles are related; otherwise what they are instead, to be the heading"
    )
    items: list[CardShape]


class ForYouAnswer(BaseModel):
    """A reader's list."""

    served_id: str = Field(description="Send it back with the events that this list leads to")
    items: list[CardShape]
    next: str | None = Field(description="The `cursor` of the next page of this list; null: it ends here")


class ReaderAnswer(BaseModel):
    """A reader's choices."""

    id: str
    zone: str
    language: str
    push: bool
    quiet_from: str
    quiet_until: str
    daily_cap: int
    followed_topics: list[str]
    muted_topics: list[str]
    muted_sources: list[str]
    followed_stories: list[str]
    muted_stories: list[str]


class ReaderExport(BaseModel):
    """Everything held on a reader."""

    reader: dict[str, Any]
    devices: list[dict[str, Any]]
    events: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    served: list[dict[str, Any]] = Field(description="Lists as they were shown")


class ReaderQuery(Query):
    """How much to tell of a reader."""

    export: Flag = Field(False, description="Everything held on the reader, not the choices alone")


class Health(BaseModel):
    """Whether the process lives."""

    status: str


def reader_answer(row: ReaderRow) -> dict[str, Any]:
    """The choices of a reader, as the API shows them."""
    return {"id": row.key, **{name: getattr(row, name) for name in ReaderAnswer.model_fields if name != "id"}}


def identifier(value: str, where: str) -> str:
    """An identifier from the address, checked like one in a body."""
    try:
        return _identifier.validate_python(value)
    except ValidationError as error:
        raise InvalidInput(f"The {where} in the address is not right: {reasons(error)}.") from None
