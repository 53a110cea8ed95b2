"""People who sign in to the console. Only argon2 hashes of passwords are kept."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Row, delete, select, update

from data.errors import InvalidInput, NotAllowed, NotFound
from data.models import Person, WebSession
from data.store.audit import note
from data.store.database import Database, table

PEOPLE, SESSIONS = table(Person), table(WebSession)
ROLES = ("viewer", "editor", "push_editor", "lead", "operator")  # each may do what those before may
HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106's low-memory profile


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody who may sign in."""

    id: int
    email: str
    role: str
    created_at: datetime


class People(Database):
    """Who may sign in."""

    def add_person(self, email: str, role: str, secret: str, *, now: datetime, by: str = "command line") -> None:
        """Let somebody sign in; an email known already gets the new role and password, and is signed out everywhere."""
        if role not in ROLES:
            raise InvalidInput(f"{role!r} is no role; use {', '.join(ROLES)}")
        email, values = email.strip().lower(), {"role": role, "secret_hash": HASHER.hash(secret)}
        with self.transaction() as connection:
            made = self.insert(Person).values(email=email, created_at=now, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["email"], set_=values))
            whose = select(PEOPLE.c.id).where(PEOPLE.c.email == email).scalar_subquery()
            connection.execute(delete(SESSIONS).where(SESSIONS.c.person_id == whose))
            note(connection, by, "let in", email, after={"role": role}, now=now)

    def person_from(self, subject: str, email: str, role: str, *, now: datetime) -> PersonRow:
        """Whom a sign-in provider vouches for, with the role of its claims; let in at the first time.

        Somebody of that email who has a password keeps it and belongs to the subject from then on; NotAllowed where
        the email belongs to another subject.
        """
        by = "sign-in provider"
        with self.transaction() as connection:
            row = connection.execute(select(PEOPLE).where(PEOPLE.c.subject == subject)).first()
            row = row or connection.execute(select(PEOPLE).where(PEOPLE.c.email == email)).first()
            if row is None:
                made = self.insert(Person).values(
                    email=email, role=role, secret_hash="", subject=subject, created_at=now
                )
                connection.execute(made)
                note(connection, by, "let in", email, after={"role": role}, now=now)
            elif row.subject not in (None, subject):
                raise NotAllowed("This email belongs to somebody else at the sign-in provider; ask an operator.")
            else:
                change = update(PEOPLE).where(PEOPLE.c.id == row.id)
                connection.execute(change.values(role=role, subject=subject))
                if row.role != role:
                    before, after = {"role": row.role}, {"role": role}
                    note(connection, by, "changed the role of", row.email, before=before, after=after, now=now)
            found = connection.execute(select(PEOPLE).where(PEOPLE.c.subject == subject)).one()
        return person_row(found)

    def set_role(self, email: str, role: str, *, by: str, now: datetime) -> None:
        """Give somebody another role, from their next request on; NotFound if nobody has that email."""
        if role not in ROLES:
            raise InvalidInput(f"{role!r} is no role; use {', '.join(ROLES)}")
        with self.transaction() as connection:
            found = connection.execute(select(PEOPLE).where(PEOPLE.c.email == email)).first()
            if found is None:
                raise NotFound(f"nobody signs in as {email!r}; `newsbell people add` lets somebody in")
            connection.execute(update(PEOPLE).where(PEOPLE.c.id == found.id).values(role=role))
            note(
                connection, by, "changed the role of", email, before={"role": found.role}, after={"role": role}, now=now
            )

    def people(self) -> list[PersonRow]:
        """Everybody, by email."""
        with self.reading() as connection:
            return [person_row(row) for row in connection.execute(select(PEOPLE).order_by(PEOPLE.c.email))]

    def check_password(self, email: str, secret: str) -> PersonRow | None:
        """The person, or None if email or password are wrong; both take as long. Cost: one argon2 hash, 64 MB."""
        with self.reading() as connection:
            row = connection.execute(select(PEOPLE).where(PEOPLE.c.email == email.strip().lower())).first()
        try:
            HASHER.verify(row.secret_hash if row else _nobody(), secret)
        except (VerificationError, InvalidHashError):
            return None
        return person_row(row) if row else None


def person_row(row: Row[Any]) -> PersonRow:
    """A row as a value."""
    return PersonRow(row.id, row.email, row.role, row.created_at)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return HASHER.hash("nobody has this password")
