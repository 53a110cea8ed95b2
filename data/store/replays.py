"""Replays as rows: asked for, worked on, kept; found again by whoever comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.exc import IntegrityError

from data.errors import Conflict, NotFound
from data.models import Replay
from data.store.audit import note
from data.store.database import Database, table

REPLAYS = table(Replay)
OPEN = ("todo", "doing")
LOST = timedelta(seconds=60)  # a worker that said nothing for so long is gone
GONE = "Its worker ended before it was done; start it again."


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One replay; `share` of it is done, `result` once it is `done`."""

    id: int
    kind: str
    about: str
    what: str
    args: dict[str, Any]
    state: str
    share: float
    said: str
    result: dict[str, Any] | None
    author: str
    worker: str
    created_at: datetime
    beat_at: datetime | None
    done_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it waits or is being worked on."""
        return self.state in OPEN

    def is_lost(self, now: datetime) -> bool:
        """Whether its worker said nothing for so long that it must be gone."""
        return self.state == "doing" and self.beat_at is not None and self.beat_at < now - LOST


class Replays(Database):
    """todo -> doing -> done | failed; todo, doing -> stopped. One of a kind is open at a time."""

    def ask_replay(
        self, kind: str, about: str, what: str, args: Mapping[str, Any], *, by: str, now: datetime
    ) -> int:  # -> todo
        """Ask for one; returns its number. Conflict while another of the kind is open; one whose worker is gone fails.

        `what` says it in words.
        """
        self.fail_lost_replays(now)
        values = {"kind": kind, "about": about, "what": what, "args": dict(args), "author": by, "created_at": now}
        rest = {"state": "todo", "share": 0.0, "said": "waits for a worker", "worker": ""}
        try:
            with self.transaction() as connection:
                made = self.insert(Replay).values(**values, **rest).returning(REPLAYS.c.id)
                number = int(connection.execute(made).scalar_one())
                note(connection, by, "started", f"replay {number}", after={"of": what}, now=now)
                return number
        except IntegrityError:
            raise Conflict("another replay is under way; wait for it, or stop it") from None

    def take_replay(self, worker: str, now: datetime) -> ReplayRow | None:  # todo -> doing
        """The oldest that waits, now the worker's; None while any is being worked on, or none waits."""
        self.fail_lost_replays(now)
        with self.transaction() as connection:
            open_ones = connection.execute(
                select(REPLAYS).where(REPLAYS.c.state.in_(OPEN)).order_by(REPLAYS.c.id).with_for_update()
            ).all()
            if not open_ones or any(one.state == "doing" for one in open_ones):
                return None
            ours = update(REPLAYS).where(REPLAYS.c.id == open_ones[0].id)
            connection.execute(ours.values(state="doing", worker=worker, beat_at=now, said="begins"))
        return self.replay(open_ones[0].id)

    def beat_replay(self, number: int, worker: str, *, share: float, said: str, now: datetime) -> bool:
        """Say how far it is; False if it was stopped or is not this worker's any more."""
        ours = (REPLAYS.c.id == number, REPLAYS.c.state == "doing", REPLAYS.c.worker == worker)
        with self.transaction() as connection:
            change = update(REPLAYS).where(*ours).values(share=min(max(share, 0.0), 1.0), said=said, beat_at=now)
            return bool(connection.execute(change).rowcount)

    def finish_replay(
        self, number: int, worker: str, *, result: Mapping[str, Any] | None, said: str, now: datetime
    ) -> bool:  # doing -> done | failed
        """Keep its result, or why there is none; False if it was stopped meanwhile."""
        ours = (REPLAYS.c.id == number, REPLAYS.c.state == "doing", REPLAYS.c.worker == worker)
        state = "failed" if result is None else "done"
        values = {"state": state, "said": said, "done_at": now, "result": dict(result) if result is not None else None}
        with self.transaction() as connection:
            change = update(REPLAYS).where(*ours).values(**values, **({"share": 1.0} if state == "done" else {}))
            return bool(connection.execute(change).rowcount)

    def stop_replay(self, number: int, *, by: str, now: datetime) -> None:  # todo, doing -> stopped
        """Stop one; its worker notices with its next beat. Conflict if it is over."""
        with self.transaction() as connection:
            change = update(REPLAYS).where(REPLAYS.c.id == number, REPLAYS.c.state.in_(OPEN))
            if not connection.execute(change.values(state="stopped", said=f"stopped by {by}", done_at=now)).rowcount:
                raise Conflict("this replay is over already")
            note(connection, by, "stopped", f"replay {number}", now=now)

    def replay(self, number: int) -> ReplayRow:
        """One replay; NotFound if there is none of that number."""
        with self.reading() as connection:
            row = connection.execute(select(REPLAYS).where(REPLAYS.c.id == number)).first()
        if row is None:
            raise NotFound(f"no replay {number}; the list of replays has those there are")
        return _row(row)

    def replays(self, kind: str | None = None, *, limit: int = 20) -> list[ReplayRow]:
        """The newest, newest first."""
        query = select(REPLAYS).order_by(REPLAYS.c.id.desc()).limit(limit)
        with self.reading() as connection:
            rows = connection.execute(query if kind is None else query.where(REPLAYS.c.kind == kind))
            return [_row(one) for one in rows]

    def fail_lost_replays(self, now: datetime) -> None:  # doing -> failed
        """Close what a vanished worker left behind, and what nobody took for long."""
        lost = or_(
            (REPLAYS.c.state == "doing") & (REPLAYS.c.beat_at < now - LOST),
            (REPLAYS.c.state == "todo") & (REPLAYS.c.created_at < now - timedelta(hours=1)),
        )
        with self.reading() as connection:
            if connection.execute(select(REPLAYS.c.id).where(lost).limit(1)).first() is None:
                return
        with self.transaction() as connection:
            connection.execute(update(REPLAYS).where(lost).values(state="failed", said=GONE, done_at=now))


def _row(row: Row[Any]) -> ReplayRow:
    return ReplayRow(**{name: getattr(row, name) for name in ReplayRow.__dataclass_fields__})
