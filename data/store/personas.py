"""Made-up readers that people keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select

from data.errors import NotFound
from data.models import Persona
from data.store.audit import note
from data.store.database import Database, table

PERSONAS = table(Persona)


@dataclass(frozen=True, slots=True)
class PersonaRow:
    """A made-up reader as kept. `reads` holds {article, kind, hours_ago}, newest first."""

    key: str
    name: str
    about: str = ""
    language: str = "en"
    followed_topics: tuple[str, ...] = ()
    muted_topics: tuple[str, ...] = ()
    reads: tuple[dict[str, Any], ...] = ()
    author: str = "newsbell"
    updated_at: datetime | None = None


class Personas(Database):
    """Personas as rows: shared by everybody at the desk."""

    def personas(self) -> list[PersonaRow]:
        """Every persona that is kept, by name."""
        with self.reading() as connection:
            rows = connection.execute(select(PERSONAS).order_by(PERSONAS.c.name, PERSONAS.c.id))
            return [_persona_row(row) for row in rows]

    def persona(self, key: str) -> PersonaRow:
        """One persona; NotFound if none has that key."""
        with self.reading() as connection:
            row = connection.execute(select(PERSONAS).where(PERSONAS.c.key == key)).first()
        if row is None:
            raise NotFound(f"no persona {key!r}; the list of personas has those there are")
        return _persona_row(row)

    def save_persona(self, persona: PersonaRow, *, by: str, now: datetime) -> None:
        """Write a persona whole, by key."""
        names: Sequence[str] = ("name", "about", "language", "followed_topics", "muted_topics", "reads")
        fields: dict[str, Any] = {name: getattr(persona, name) for name in names}
        fields |= {name: list(fields[name]) for name in ("followed_topics", "muted_topics", "reads")}
        values = {**fields, "author": by, "updated_at": now}
        with self.transaction() as connection:
            made = self.insert(Persona).values(key=persona.key, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["key"], set_=values))
            after = {"name": persona.name, "reads": len(persona.reads)}
            note(connection, by, "saved persona", persona.key, after=after, now=now)

    def remove_persona(self, key: str, *, by: str, now: datetime) -> None:
        """Forget a persona; NotFound if none has that key."""
        with self.transaction() as connection:
            if not connection.execute(delete(PERSONAS).where(PERSONAS.c.key == key)).rowcount:
                raise NotFound(f"no persona {key!r}; the list of personas has those there are")
            note(connection, by, "removed persona", key, now=now)


def _persona_row(row: Row[Any]) -> PersonaRow:
    fields = {name: getattr(row, name) for name in PersonaRow.__dataclass_fields__}
    return PersonaRow(**fields | {name: tuple(fields[name]) for name in ("followed_topics", "muted_topics", "reads")})
