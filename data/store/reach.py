"""Reach targets: what the desk wants seen by whom, how far it is, and the boost that works for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.exc import IntegrityError

from data.errors import Conflict, InvalidInput, NotFound
from data.models import Article, Event, ReachTarget, Rule
from data.store.audit import note
from data.store.database import Database, table

TARGETS, RULES, EVENTS, ARTICLES = table(ReachTarget), table(Rule), table(Event), table(Article)
STRONGEST = 0.5
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=48)
DAY = timedelta(hours=24)
OPENS = ("open", "read")
STEPS_KEPT = 600
FEWEST = 20  # readers expected at least: a share of fewer would be met by chance


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One reach target; shares are of readers, `steps` are [minutes since the start, share reached, boost]."""

    id: int
    article_id: int
    share: float
    cap: float
    state: str
    starts_at: datetime
    ends_at: datetime
    expected: int
    active: int
    reached: int
    strength: float
    lag: float
    cost_share: float
    cost_opens: float
    steps: list[list[float]]
    rule_id: int | None
    author: str
    reason: str
    stepped_at: datetime | None

    @property
    def reached_share(self) -> float:
        """Of the readers expected, or of those who came if they are more."""
        return self.reached / max(self.expected, self.active, 1)


class ReachTargets(Database):
    """Each change of a target, the boost that belongs to it and the entry in the history are one transaction."""

    def aim(
        self, article_id: int, *, share: float, cap: float, ends_at: datetime, by: str, reason: str, now: datetime
    ) -> int:
        """Begin a target on an article's story; returns its number. Conflict while another one runs on the article."""
        if not 0 < share <= 1:
            raise InvalidInput("a reach target is a share of the readers, above 0 and at most 1")
        if not 0 < cap <= STRONGEST:
            raise InvalidInput(f"the strongest boost is above 0 and at most {STRONGEST:g}")
        if not SHORTEST <= ends_at - now <= LONGEST:
            raise InvalidInput("a reach target lasts from fifteen minutes to two days")
        given: dict[str, Any] = {"article_id": article_id, "share": share, "cap": cap, "author": by, "reason": reason}
        try:
            with self.transaction() as connection:
                expected = _expected(connection, now, ends_at)
                rule_id = self._boost(connection, article_id, now, ends_at, by, f"reach target: {share:.0%}")
                made = self.insert(ReachTarget).values(
                    **given, starts_at=now, ends_at=ends_at, expected=expected, rule_id=rule_id, state="on",
                    active=0, reached=0, strength=0.0, lag=0.0, cost_share=0.0, cost_opens=0.0, steps=[],
                )  # fmt: skip
                number = int(connection.execute(made.returning(TARGETS.c.id)).scalar_one())
                after = {"share": share, "until": ends_at, "at most": cap}
                target = _article(connection, article_id)
                note(connection, by, "set a reach target for", target, after=after, why=reason, now=now)
                return number
        except IntegrityError:
            raise Conflict("this article has a reach target already; stop that one first") from None

    def targets_of(self, article_ids: Sequence[int]) -> list[TargetRow]:
        """The targets on these articles, newest first."""
        query = select(TARGETS).where(TARGETS.c.article_id.in_(list(article_ids)))
        with self.reading() as connection:
            return [_row(one) for one in connection.execute(query.order_by(TARGETS.c.id.desc()))]

    def open_targets(self) -> list[TargetRow]:
        """Those that run, oldest first."""
        with self.reading() as connection:
            return [
                _row(one)
                for one in connection.execute(select(TARGETS).where(TARGETS.c.state == "on").order_by(TARGETS.c.id))
            ]

    def target(self, number: int) -> TargetRow:
        """One target; NotFound if there is none of that number."""
        with self.reading() as connection:
            return _find(connection, number)

    def count_reach(self, target: TargetRow, now: datetime) -> tuple[int, int, int]:
        """Readers active since the start, those of them whom the story ever reached, and opens since the last step."""
        with self.reading() as connection:
            active = _active(connection, target.starts_at, now)
            since = (EVENTS.c.at > target.starts_at) & (EVENTS.c.at <= now)
            here = select(EVENTS.c.reader_id).where(since)
            saw = EVENTS.c.article_id.in_(_members(connection, target.article_id)) & (EVENTS.c.at <= now)
            reached = select(func.count(EVENTS.c.reader_id.distinct())).where(saw, EVENTS.c.reader_id.in_(here))
            fresh = (EVENTS.c.at > (target.stepped_at or target.starts_at)) & (EVENTS.c.at <= now)
            opens = select(func.count()).select_from(EVENTS).where(fresh, EVENTS.c.kind.in_(OPENS))
            return active, int(connection.execute(reached).scalar_one()), int(connection.execute(opens).scalar_one())

    def target_value(self, target: TargetRow) -> tuple[str, int]:
        """What the boost is on today: ("story", number), or ("article", number) before it is in one."""
        with self.reading() as connection:
            return _value(connection, target.article_id)

    def step_target(
        self, number: int, *, state: str, counted: Mapping[str, Any], strength: float, now: datetime
    ) -> str:
        """Write a step and its boost; the first of them that finds the boost ended by hand stops the target.

        Returns the state it is in now. A target that is over stays as it is.
        """
        with self.transaction() as connection:
            target = _find(connection, number, lock=True)
            if target.state != "on":
                return target.state
            if state == "on" and not _is_in_effect(connection, target.rule_id, now):
                state = "stopped"
            strength = strength if state == "on" else 0.0
            steps = [*target.steps, [(now - target.starts_at).total_seconds() / 60, _share(target, counted), strength]]
            values = {**counted, "state": state, "strength": strength, "stepped_at": now, "steps": steps[-STEPS_KEPT:]}
            connection.execute(update(TARGETS).where(TARGETS.c.id == number).values(**values))
            self._set_boost(connection, target, strength, now)
            if state != "on":
                self._end(connection, target, state, "newsbell", "", now, _share(target, counted))
            return state

    def stop_target(self, number: int, *, by: str, now: datetime, reason: str = "") -> None:
        """Stop a target and its boost. Conflict if it is over already."""
        with self.transaction() as connection:
            target = _find(connection, number, lock=True)
            if target.state != "on":
                raise Conflict(f"this reach target is {target.state} already")
            connection.execute(update(TARGETS).where(TARGETS.c.id == number).values(state="stopped", strength=0.0))
            self._end(connection, target, "stopped", by, reason, now, target.reached_share)

    def _boost(
        self, connection: Connection, article_id: int, now: datetime, ends_at: datetime, by: str, reason: str
    ) -> int:
        kind, value = _value(connection, article_id)
        key = str(value) if kind == "story" else _key(connection, article_id)
        made = self.insert(Rule).values(
            kind="boost", surface="for_you", target=kind, target_key=key, strength=0.0, slot=None,
            starts_at=now, ends_at=ends_at, author=by, reason=reason,
        )  # fmt: skip
        return int(connection.execute(made.returning(RULES.c.id)).scalar_one())

    def _set_boost(self, connection: Connection, target: TargetRow, strength: float, now: datetime) -> None:
        kind, value = _value(connection, target.article_id)  # stories merge and split
        key = str(value) if kind == "story" else _key(connection, target.article_id)
        ours = update(RULES).where(RULES.c.id == target.rule_id, RULES.c.ends_at > now)
        connection.execute(ours.values(strength=round(strength, 4), target=kind, target_key=key))

    def _end(
        self, connection: Connection, target: TargetRow, state: str, by: str, why: str, now: datetime, share: float
    ) -> None:
        ours = update(RULES).where(RULES.c.id == target.rule_id, RULES.c.ends_at > now)
        connection.execute(ours.values(ends_at=now))
        after = {"reached": round(share, 4), "state": state}
        what = {"met": "met the reach target for", "expired": "missed the reach target for"}.get(state)
        about = _article(connection, target.article_id)
        note(connection, by, what or "stopped the reach target for", about, after=after, why=why, now=now)


def _active(connection: Connection, from_at: datetime, until_at: datetime) -> int:
    there = (EVENTS.c.at > from_at) & (EVENTS.c.at <= until_at)
    return int(connection.execute(select(func.count(EVENTS.c.reader_id.distinct())).where(there)).scalar_one())


def _expected(connection: Connection, now: datetime, ends_at: datetime) -> int:
    """Readers active in the same hours a day before, or in as many hours just now, whichever are more."""
    before = _active(connection, now - DAY, ends_at - DAY), _active(connection, now - (ends_at - now), now)
    return max(*before, FEWEST)


def _value(connection: Connection, article_id: int) -> tuple[str, int]:
    story = connection.execute(select(ARTICLES.c.story_id).where(ARTICLES.c.id == article_id)).scalar()
    return ("story", int(story)) if story else ("article", article_id)


def _members(connection: Connection, article_id: int) -> list[int]:
    kind, value = _value(connection, article_id)
    if kind == "article":
        return [article_id]
    return list(connection.execute(select(ARTICLES.c.id).where(ARTICLES.c.story_id == value)).scalars())


def _key(connection: Connection, article_id: int) -> str:
    found = connection.execute(select(ARTICLES.c.key).where(ARTICLES.c.id == article_id)).scalar()
    if found is None:
        raise NotFound("no such article; it may have been removed")
    return str(found)


def _article(connection: Connection, article_id: int) -> str:
    return f"article {_key(connection, article_id)}"


def _is_in_effect(connection: Connection, rule_id: int | None, now: datetime) -> bool:
    query = select(RULES.c.id).where(RULES.c.id == rule_id, RULES.c.ends_at > now)
    return connection.execute(query).first() is not None


def _share(target: TargetRow, counted: Mapping[str, Any]) -> float:
    return round(float(counted["reached"]) / max(target.expected, int(counted["active"]), 1), 4)


def _find(connection: Connection, number: int, *, lock: bool = False) -> TargetRow:
    query = select(TARGETS).where(TARGETS.c.id == number)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"no reach target {number}; the page of the story shows those there are")
    return _row(row)


def _row(row: Row[Any]) -> TargetRow:
    return TargetRow(**{name: getattr(row, name) for name in TargetRow.__dataclass_fields__})
