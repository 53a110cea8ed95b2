"""What people ask of the scheduler, as rows: the only way a face speaks to it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from data.alerts import CommandRow
from data.models import Command
from data.store import Store
from data.store.database import table

COMMANDS = table(Command)


class Commands:
    """The queue of commands: todo -> doing -> done or failed."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ask(self, kind: str, args: dict[str, Any], *, author: str, now: datetime) -> int:
        """Leave a command for the scheduler; returns its number."""
        row = {"kind": kind, "args": args, "state": "todo", "author": author, "created_at": now, "result": ""}
        with self.store.transaction() as connection:
            made = self.store.insert(Command).values(**row).returning(COMMANDS.c.id)
            return int(connection.execute(made).scalar_one())

    def take(self, *, limit: int = 20) -> list[CommandRow]:  # todo -> doing
        """The oldest commands not yet begun, now ours."""
        oldest = select(COMMANDS).where(COMMANDS.c.state == "todo").order_by(COMMANDS.c.id).limit(limit)
        with self.store.transaction() as connection:
            rows = connection.execute(oldest.with_for_update(skip_locked=True)).all()
            mine = update(COMMANDS).where(COMMANDS.c.id.in_([row.id for row in rows]))
            if rows:
                connection.execute(mine.values(state="doing"))
        return [CommandRow(row.id, row.kind, dict(row.args), row.author, row.created_at) for row in rows]

    def finish(self, command_id: int, *, now: datetime, result: str, ok: bool = True) -> None:  # doing -> done | failed
        """Record how a command ended."""
        state = "done" if ok else "failed"
        with self.store.transaction() as connection:
            change = update(COMMANDS).where(COMMANDS.c.id == command_id, COMMANDS.c.state == "doing")
            connection.execute(change.values(state=state, done_at=now, result=result))
