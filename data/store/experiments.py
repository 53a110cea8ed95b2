"""Experiments as rows, and what happened on the lists they served."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Row, func, select, type_coerce
from sqlalchemy.exc import IntegrityError

from data.errors import Conflict, NotFound
from data.experiments import DRAFT, LIVE, Arm, ExperimentRow
from data.models import Event, Experiment, Reader, Served, WeightSet
from data.store.audit import note
from data.store.database import Database, table
from data.store.drafts import DRAFTS
from data.store.versions import WEIGHTS, check_weights

EXPERIMENTS, SERVED, EVENTS, READERS = table(Experiment), table(Served), table(Event), table(Reader)


class ServedList(NamedTuple):
    """One list as an experiment counts it."""

    served_id: str
    reader: str
    at_us: int


class Response(NamedTuple):
    """What a reader did with an article of a list."""

    served_id: str
    article_id: int
    kind: str
    at_us: int


class Experiments(Database):
    """Who takes part in what; each start and stop is in the audit log."""

    def start_experiment(self, row: ExperimentRow, *, now: datetime, draft_of: str = "") -> None:
        """Write an experiment that runs from its `starts_at`; an arm of DRAFT gets the draft of `draft_of`, kept as a
        version that is not live.

        NotFound for a version that does not exist. Conflict where the key is used, or a running experiment of the same
        layer owns some of the buckets.
        """
        with self.transaction() as connection:
            if any(one.version == DRAFT for one in row.arms):
                number = self._keep_draft(connection, row.surface, draft_of, now)
                arms = (Arm(number if one.version == DRAFT else one.version, one.share) for one in row.arms)
                row = replace(row, arms=tuple(arms))
            _check_versions(connection, row)
            for other in _rows(connection, now):
                if other.layer == row.layer and _overlaps(row, other):
                    raise Conflict(f"experiment {other.key!r} began meanwhile with some of these readers; start again")
            fields = {name: getattr(row, name) for name in ExperimentRow.__dataclass_fields__ if name != "id"}
            fields["arms"] = [{"version": one.version, "share": one.share} for one in row.arms]
            try:
                connection.execute(self.insert(Experiment).values(**fields))
            except IntegrityError:
                raise Conflict(f"there was an experiment {row.key!r} already; give this one another name") from None
            after = {"kind": row.kind, "surface": row.surface, "arms": fields["arms"], "ends_at": row.ends_at}
            note(connection, row.author, "started experiment", row.key, after=after, why=row.reason, now=now)

    def stop_experiment(
        self, key: str, *, by: str, reason: str, outcome: str, now: datetime, state: str = "stopped"
    ) -> ExperimentRow:
        """End a running experiment: its readers get the live version from now on. Conflict if it is over already."""
        with self.transaction() as connection:
            query = select(EXPERIMENTS).where(EXPERIMENTS.c.key == key).with_for_update()
            found = connection.execute(query).first()
            if found is None:
                raise NotFound(f"no experiment {key!r}; `newsbell experiment list` names those there are")
            if found.state != "running":
                raise Conflict(f"experiment {key!r} is over since {found.stopped_at or found.ends_at:%Y-%m-%d %H:%M}Z")
            values = {"state": state, "stopped_at": min(now, found.ends_at), "outcome": outcome}
            connection.execute(EXPERIMENTS.update().where(EXPERIMENTS.c.id == found.id).values(**values))
            note(connection, by, f"{state} experiment", key, after={"outcome": outcome}, why=reason, now=now)
            return _row(connection.execute(select(EXPERIMENTS).where(EXPERIMENTS.c.id == found.id)).one())

    def try_draft(self, surface: str, author: str, *, now: datetime) -> int:
        """Keep somebody's draft as a version that is not live, for an experiment to come; see `_keep_draft`."""
        with self.transaction() as connection:
            return self._keep_draft(connection, surface, author, now)

    def _keep_draft(self, connection: Connection, surface: str, author: str, now: datetime) -> int:
        """Somebody's draft as a version that is not live; the draft stays. Its number; NotFound if there is none."""
        query = select(DRAFTS).where(DRAFTS.c.surface == surface, DRAFTS.c.author == author)
        draft = connection.execute(query).first()
        if draft is None:
            raise NotFound(f"{author} has no draft of {surface}; make one on the ranking page")
        check_weights(draft.weights)
        last = select(func.coalesce(func.max(WEIGHTS.c.version), 0)).where(WEIGHTS.c.surface == surface)
        version = int(connection.execute(last).scalar_one()) + 1
        fields = {"weights": dict(draft.weights), "options": dict(draft.options), "author": author}
        made = self.insert(WeightSet).values(
            surface=surface, version=version, live=False, reason="for an experiment", created_at=now, **fields
        )
        connection.execute(made)
        note(connection, author, "kept weights for an experiment", surface, after={"version": version}, now=now)
        return version

    def experiment(self, key: str) -> ExperimentRow:
        """One experiment; NotFound if none has that key."""
        with self.reading() as connection:
            found = connection.execute(select(EXPERIMENTS).where(EXPERIMENTS.c.key == key)).first()
        if found is None:
            raise NotFound(f"no experiment {key!r}; `newsbell experiment list` names those there are")
        return _row(found)

    def experiments(self, running_at: datetime | None = None) -> list[ExperimentRow]:
        """Every experiment, newest first; with `running_at` those that are not stopped and end after it."""
        with self.reading() as connection:
            return _rows(connection, running_at)

    def lists_served(self, surface: str, from_at: datetime, until_at: datetime) -> list[ServedList]:
        """The lists whose first page was served in [from, until), to readers we know, in time order."""
        at = type_coerce(SERVED.c.served_at, BigInteger)
        query = select(SERVED.c.served_id, READERS.c.key, at).join(READERS, READERS.c.id == SERVED.c.reader_id)
        within = _within(SERVED.c.served_at, from_at, until_at)
        query = query.where(SERVED.c.surface == surface, SERVED.c.first == 0, *within)
        with self.reading() as connection:
            return [ServedList(*row) for row in connection.execute(query.order_by(SERVED.c.served_at, SERVED.c.id))]

    def responses(self, kinds: Sequence[str], from_at: datetime, until_at: datetime) -> list[Response]:
        """The first event of these kinds for each list, article and kind in [from, until); none without a list."""
        query = select(
            EVENTS.c.served_id, EVENTS.c.article_id, EVENTS.c.kind, func.min(type_coerce(EVENTS.c.at, BigInteger))
        ).where(EVENTS.c.served_id.is_not(None), EVENTS.c.kind.in_(kinds), *_within(EVENTS.c.at, from_at, until_at))
        with self.reading() as connection:
            grouped = query.group_by(EVENTS.c.served_id, EVENTS.c.article_id, EVENTS.c.kind)
            return [Response(*row) for row in connection.execute(grouped)]

    def teams_served(self, surface: str, from_at: datetime, until_at: datetime) -> dict[str, dict[int, int]]:
        """served_id -> article -> which version chose it, of the interleaved lists served in [from, until)."""
        query = select(SERVED.c.served_id, SERVED.c.article_ids, SERVED.c.teams).where(
            SERVED.c.surface == surface, SERVED.c.first == 0, *_within(SERVED.c.served_at, from_at, until_at)
        )
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return {row.served_id: dict(zip(row.article_ids, row.teams, strict=True)) for row in rows if row.teams}


def _within(column: Any, from_at: datetime, until_at: datetime) -> tuple[Any, Any]:
    return column >= from_at, column < until_at


def _rows(connection: Connection, running_at: datetime | None) -> list[ExperimentRow]:
    query = select(EXPERIMENTS).order_by(EXPERIMENTS.c.id.desc())
    if running_at is not None:
        query = query.where(EXPERIMENTS.c.state == "running", EXPERIMENTS.c.ends_at > running_at)
    return [_row(row) for row in connection.execute(query)]


def _row(row: Row[Any]) -> ExperimentRow:
    fields = {name: getattr(row, name) for name in ExperimentRow.__dataclass_fields__}
    return ExperimentRow(**fields | {"arms": tuple(Arm(one["version"], one["share"]) for one in row.arms)})


def _check_versions(connection: Connection, row: ExperimentRow) -> None:
    wanted = {one.version for one in row.arms} - {LIVE}
    query = select(WEIGHTS.c.version).where(WEIGHTS.c.surface == row.surface, WEIGHTS.c.version.in_(wanted))
    for version in sorted(wanted - set(connection.execute(query).scalars())):
        raise NotFound(f"{row.surface} has no version {version}; publish it first, or take one of the history")


def _overlaps(one: ExperimentRow, other: ExperimentRow) -> bool:
    return one.first_bucket < other.first_bucket + other.buckets and other.first_bucket < one.first_bucket + one.buckets
