"""What is true now about deliveries that are about to be sent."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ARRAY, BigInteger, Connection, String, and_, any_, bindparam, cast, func, or_, select, text, true

from data import ledger
from data.alerts import EDITORIAL, GROUP, HANDED_OVER, Due, DueArticle, DueCampaign, Wishes
from data.broadcasts import followed, said
from data.clock import instant, micros
from data.columns import UtcTime
from data.models import Article, Broadcast, Campaign, Delivery, Device, Event, Reader, Source, Story
from data.numbers import THESE, numbers
from data.outbox_waiting import Place, next_of
from data.store.database import table

DELIVERIES, CAMPAIGNS, ARTICLES, SOURCES = table(Delivery), table(Campaign), table(Article), table(Source)
READERS, DEVICES, EVENTS, STORIES = table(Reader), table(Device), table(Event), table(Story)
# Whoever did one of these knows the story, or does not want it.
READ_KINDS = ("open", "read", "finish", "share", "save", "push_open", "hide", "less_like_this")
AWAY_KINDS = ("hide", "less_like_this")
NOTHING = (0, 0, 0, 0)  # the tally of whoever got no alert lately


class _Who(msgspec.Struct, array_like=True, gc=False):
    """A delivery with its reader and device, in the order of `_Queries.who`; times in microseconds."""

    id: int
    key: str
    campaign_id: int
    slot: str
    attempt: int
    expires_us: int
    article_id: int
    update_no: int
    reader_id: int
    since_us: int
    reader_key: str
    wishes: Wishes
    fid: str
    token: str | None
    platform: str
    app: str
    is_test: bool
    device_state: str
    device_reader_id: int


_whos = msgspec.json.Decoder(list[_Who], strict=False)  # SQLite writes 0 and 1 for false and true


class _Alert(NamedTuple):
    """Another alert to the same reader, in the form of a row of `_Queries.others`."""

    story: int
    again: bool
    sent_at: datetime
    kind: str = ""


# Campaigns of an earlier lane go first, however long those of a later one have waited.
LANES = (("breaking",), ("follow_up", "manual", "test"), ("digest",))


def ready(connection: Connection, now: datetime, limit: int, without_apps: Collection[str] = ()) -> list[Place]:
    """Where ready deliveries of campaigns that are on stand, lane by lane, the oldest of each lane first, locked.

    Asked campaign by campaign: each is a short walk along an index, while one query over all would sort everything
    that waits.
    """
    campaigns = connection.execute(select(CAMPAIGNS.c.id, CAMPAIGNS.c.kind).where(CAMPAIGNS.c.state == "on")).all()
    found: list[Place] = []
    for lane in LANES:
        lined_up: list[Place] = []
        for campaign in (row.id for row in campaigns if row.kind in lane):
            lined_up += next_of(connection, campaign, now, limit - len(found), without_apps)
        found += sorted(lined_up)[: limit - len(found)]
        if len(found) >= limit:
            break
    return found


def facts(connection: Connection, ids: Sequence[int], now: datetime) -> list[Due]:
    """The ready ones of these deliveries in the order of `ids`, their readers' rows locked until the caller commits."""
    if not ids:
        return []
    query = _queries(connection.dialect.name)
    given = {"ids": numbers(connection, ids)}
    if query.is_postgres:  # on SQLite the whole database has one writer: us
        connection.execute(query.lock, given).scalar_one()
    rows = _whos.decode(connection.execute(query.who, given).scalar_one() or "[]")
    articles = _articles(connection, query, {row.article_id for row in rows})
    campaigns = _campaigns(connection, query, {row.campaign_id for row in rows})
    worded = _worded(rows, articles, campaigns)
    read = {one for (one,) in _raw(connection, query.read, given)}
    others: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query.others, given | {"since": now - timedelta(hours=24)}):
        others[row.id].append(row)
    _add_broadcasts(connection, rows, articles, others, now)
    tally = ledger.tally_of(connection, given["ids"], {row.wishes.zone for row in rows}, now=now)
    due = {
        row.id: _due(
            row,
            worded[row.article_id, row.campaign_id],
            campaigns[row.campaign_id],
            others.get(row.id, ()),
            row.id in read,
            tally.get(row.id, NOTHING),
        )
        for row in rows
    }
    return [due[one] for one in ids if one in due]


def _add_broadcasts(
    connection: Connection,
    rows: Sequence[_Who],
    articles: dict[int, DueArticle],
    others: dict[int, list[Any]],
    now: datetime,
) -> None:
    """Messages to topics count as alerts to everybody they reached."""
    if connection.execute(_ANY_BROADCAST).first() is None:  # nearly always: the question itself costs more
        return
    story = {row.id: articles[row.article_id].story_id or -row.article_id for row in rows}
    told = said(connection, since=now - timedelta(hours=24), stories=set(story.values()))
    if not told:
        return
    topics = followed(connection, [row.reader_id for row in rows])
    for row in rows:
        reached = (one for one in told if one.reaches(topics[row.reader_id]))
        others[row.id] += [_Alert(one.story, one.update_no >= row.update_no, one.sent_at) for one in reached]


def _worded(
    rows: Sequence[_Who], articles: dict[int, DueArticle], campaigns: dict[int, DueCampaign]
) -> dict[tuple[int, int], DueArticle]:
    """The article of each (article, campaign): an alert of the desk's own says what the desk wrote."""
    made = {}
    for pair in {(row.article_id, row.campaign_id) for row in rows}:
        article, words = articles[pair[0]], campaigns[pair[1]].message
        if words:
            article = msgspec.structs.replace(article, title=words["title"], summary=words.get("body", ""))
        made[pair] = article
    return made


def _due(
    row: _Who,
    article: DueArticle,
    campaign: DueCampaign,
    alerts: Sequence[Any],
    has_read: bool,
    tally: tuple[int, int, int, int],
) -> Due:
    """In the order of the fields: by name it would take twice as long."""
    told_us, alerts_us, groups = _alerts(row, article, alerts) if alerts else (0, (), ())
    # fmt: off
    return Due(
        row.id, row.key, campaign, row.slot, row.attempt, _instant(row.expires_us), article,
        row.reader_id, row.wishes, row.fid, row.token, row.platform, row.is_test, row.device_state,
        row.device_reader_id, row.app, row.reader_key, row.since_us, has_read, told_us, alerts_us, groups, *tally,
    )
    # fmt: on


def _alerts(row: _Who, article: DueArticle, alerts: Sequence[Any]) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """When its story was told last, when other alerts went out, and of which groups they are."""
    story = article.story_id or -row.article_id
    told_us = max((micros(one.sent_at) for one in alerts if one.story == story and one.again), default=0)
    groups = tuple(GROUP.get(one.kind, EDITORIAL) for one in alerts)
    return told_us, tuple(micros(one.sent_at) for one in alerts), groups


def _articles(connection: Connection, query: "_Queries", ids: Collection[int]) -> dict[int, DueArticle]:
    """Read once, however many deliveries an article has."""
    found = {}
    for row in _raw(connection, query.what, {"ids": numbers(connection, ids)}):
        names = _names(row[8]) if isinstance(row[8], str) else tuple(row[8])
        times = (None if one is None else instant(one) for one in row[9:12])
        fields: tuple[Any, ...] = (*row[:8], names, *times, row[12])
        found[row[0]] = DueArticle(*fields)
    return found


def _campaigns(connection: Connection, query: "_Queries", ids: Collection[int]) -> dict[int, DueCampaign]:
    rows = connection.execute(query.why, {"ids": numbers(connection, ids)})
    return {row.id: DueCampaign(*row) for row in rows}


def _raw(connection: Connection, query: Any, given: dict[str, Any]) -> list[Any]:
    """The rows as the driver makes them: half the cost of SQLAlchemy's, where there are thousands."""
    return list(connection.execute(query, given).cursor.fetchall())


@lru_cache(maxsize=4_096)
def _instant(us: int) -> datetime:
    """Most deliveries of a claim end together."""
    return instant(us)


@lru_cache(maxsize=10_000)
def _names(text: str) -> tuple[str, ...]:
    """A JSON list of strings; nearly all of them are the same few."""
    return tuple(msgspec.json.decode(text, type=list[str]))


_ANY_BROADCAST = select(table(Broadcast).c.id).limit(1)

# --- the queries, written once: building one costs as much as running it ---

_D, _R, _P, _A, _C = DELIVERIES.c, READERS.c, DEVICES.c, ARTICLES.c, CAMPAIGNS.c
_MUTED = ("muted_topics", "muted_sources", "muted_stories")
_other, _theirs, _ours = DELIVERIES.alias("other"), ARTICLES.alias("theirs"), ARTICLES.alias("ours")
_why = CAMPAIGNS.alias("why")

# Which articles tell the story of one that is about to be sent is found out once for all readers.
_SAME = """with mine as materialized (select distinct article_id id from delivery where id {these}),
    same as (select told.id told_id, one.id article_id from mine join article told on told.id = mine.id
        join article one on one.story_id = told.story_id union select id, id from mine),"""
# A material update makes it news again; for followers every new article does.
_IS_NEWS = """e.kind in ({kinds}) and (e.kind in ({away}) or (e.at >= theirs.since
    and (c.kind <> 'follow_up' or e.at >= theirs.published_at)))"""
_SINCE = """from same join article told on told.id = same.told_id left join story on story.id = told.story_id"""
# Nearly all events are of other articles, and most of those are older than any of these.
_READ_JOINED = f"""{_SAME} theirs as materialized (select told_id, article_id, coalesce(story.renewed_at, 0) since,
    told.published_at {_SINCE}),
    any_of as materialized (select distinct article_id id from theirs),
    seen as materialized (select d.id, d.article_id told_id, d.campaign_id, e.article_id, e.kind, e.at
    from delivery d cross join event e on e.reader_id = d.reader_id where d.id {{these}}
    and e.article_id >= (select min(id) from any_of) and e.article_id in (select id from any_of))
    select distinct e.id from seen e join campaign c on c.id = e.campaign_id
    join theirs on theirs.told_id = e.told_id and theirs.article_id = e.article_id where {_IS_NEWS}"""  # noqa: S608
# Fenced in as in `ledger`: by old statistics PostgreSQL reads the events of everybody, and given the kinds it walks
# through a reader's events once for each of them.
_READ_FENCED = f"""{_SAME} theirs as materialized (select told_id, array_agg(article_id) articles,
    coalesce(story.renewed_at, 0) since, told.published_at {_SINCE} group by told_id, since, told.published_at)
    select distinct d.id from delivery d join campaign c on c.id = d.campaign_id
    join theirs on theirs.told_id = d.article_id cross join lateral
    (select at, kind, article_id from event where reader_id = d.reader_id offset 0) e
    where d.id {{these}} and e.article_id = any(theirs.articles) and {_IS_NEWS}"""  # noqa: S608  constants


class _Queries:
    """Every query takes its numbers as one value: see `numbers`."""

    def __init__(self, *, is_postgres: bool) -> None:
        self.is_postgres = is_postgres
        self.lock = self._lock()
        self.who, self.what, self.why = self._who(), self._what(), self._why()
        self.read, self.others = self._read(), self._others()

    def _in(self, column: Any) -> Any:
        if self.is_postgres:
            return column == any_(cast(bindparam("ids", type_=String), ARRAY(BigInteger)))
        each = func.json_each(bindparam("ids", type_=String)).table_valued("value")
        return column.in_(select(each.c.value))

    def _lock(self) -> Any:
        readers = select(_D.reader_id).where(self._in(_D.id))
        locked = select(_R.id).where(_R.id.in_(readers)).order_by(_R.id).with_for_update()
        return select(func.count()).select_from(locked.subquery())

    def _who(self) -> Any:
        """One text for all rows: the driver would take twice as long for their columns."""
        array, together = (
            (func.json_build_array, func.json_agg) if self.is_postgres else (func.json_array, func.json_group_array)
        )
        muted = (_R[name] if self.is_postgres else func.json(_R[name]) for name in _MUTED)
        columns = (
            *(_D.id, _D.key, _D.campaign_id, _D.slot, _D.attempt + 1, _D.expires_at, _D.article_id),
            *(_D.update_no, _D.reader_id, _R.created_at, _R.key),
            array(_R.zone, _R.push, _R.quiet_from, _R.quiet_until, _R.daily_cap, *muted),
            *(_P.fid, _P.token, _P.platform, _P.app, _P.is_test, _P.state, _P.reader_id),
        )
        joined = DELIVERIES.join(READERS, _R.id == _D.reader_id).join(DEVICES, _P.id == _D.device_id)
        found = select(cast(together(array(*columns)), String)).select_from(joined)
        return found.where(self._in(_D.id), _D.state == "ready")

    def _what(self) -> Any:
        columns = (
            *(_A.id, _A.key, _A.title, _A.summary, _A.url, _A.image_url, SOURCES.c.key, _A.category, _A.topics),
            *(_A.published_at, _A.embargo_until, _A.retracted_at, _A.story_id),
        )
        joined = ARTICLES.outerjoin(SOURCES, SOURCES.c.id == _A.source_id)
        return select(*columns).select_from(joined).where(self._in(_A.id))

    def _why(self) -> Any:
        columns = tuple(_C[name] for name in DueCampaign.__struct_fields__)
        return select(*columns).where(self._in(_C.id))

    def _read(self) -> Any:
        """The deliveries whose article, or another of its story, the reader has read."""
        these = THESE["postgresql" if self.is_postgres else "sqlite"]
        kinds, away = (", ".join(f"'{kind}'" for kind in some) for some in (READ_KINDS, AWAY_KINDS))
        query = _READ_FENCED if self.is_postgres else _READ_JOINED
        return text(query.format(these=these, kinds=kinds, away=away))

    def _others(self) -> Any:
        """Other alerts handed over to the same reader: those of the last day, and those of the same story."""
        other, is_theirs = self._of_reader()
        joined = (
            DELIVERIES.join(_ours, _ours.c.id == _D.article_id)
            .join(other, is_theirs)
            .join(_theirs, _theirs.c.id == other.c.article_id)
            .join(_why, _why.c.id == other.c.campaign_id)
        )
        story = func.coalesce(_theirs.c.story_id, -_theirs.c.id)
        columns = (
            _D.id,
            story.label("story"),
            (other.c.update_no >= _D.update_no).label("again"),
            func.min(other.c.sent_at).label("sent_at"),
            _why.c.kind,
        )
        recent = other.c.sent_at > bindparam("since", type_=UtcTime)
        wanted = (
            self._in(_D.id),
            other.c.state.in_(HANDED_OVER),
            _why.c.kind != "test",
            or_(recent, story == func.coalesce(_ours.c.story_id, -_ours.c.id)),
            ~and_(other.c.campaign_id == _D.campaign_id, other.c.slot == _D.slot),
        )
        found = select(*columns).select_from(joined).where(*wanted)
        return found.group_by(_D.id, other.c.campaign_id, other.c.slot, "story", "again", _why.c.kind)

    def _of_reader(self) -> tuple[Any, Any]:
        """The deliveries of the same reader, and what joins them: on PostgreSQL fenced in, as in `ledger`."""
        if not self.is_postgres:
            return _other, _other.c.reader_id == _D.reader_id
        return select(_other).where(_other.c.reader_id == _D.reader_id).offset(0).lateral("theirs_too"), true()


@lru_cache(maxsize=2)
def _queries(dialect: str) -> _Queries:
    return _Queries(is_postgres=dialect == "postgresql")
