"""Signed-in browsers and failed sign-ins."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update

from data.models import Person, SignInFailure, WebSession
from data.store.database import Database, table
from data.store.people import PersonRow, person_row

SESSIONS, FAILURES, PEOPLE = table(WebSession), table(SignInFailure), table(Person)
IDLE = timedelta(hours=2)
ABSOLUTE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)  # `seen_at` is written no oftener
FAILURES_COUNT = timedelta(minutes=15)
MOST_FAILURES_OF_EMAIL = 5
MOST_FAILURES_OF_ADDRESS = 30


class Sessions(Database):
    """Sessions are rows: they end on every worker at once, and an operator can end them all."""

    def open_session(self, person_id: int, *, now: datetime) -> str:
        """A new session; returns its token, of which only the hash is kept. Ended sessions are removed."""
        token = secrets.token_urlsafe(32)
        row = {"token_hash": _hash(token), "person_id": person_id, "created_at": now, "seen_at": now}
        over = or_(SESSIONS.c.ends_at <= now, SESSIONS.c.seen_at <= now - IDLE)
        with self.transaction() as connection:
            connection.execute(delete(SESSIONS).where(over))
            connection.execute(self.insert(WebSession).values(**row, ends_at=now + ABSOLUTE))
        return token

    def session_person(self, token: str, *, now: datetime) -> PersonRow | None:
        """Who is signed in with this token, with the role of this moment; None if the session is unknown or over."""
        query = select(PEOPLE, SESSIONS.c.id.label("session_id"), SESSIONS.c.seen_at).join(SESSIONS)
        live = query.where(
            SESSIONS.c.token_hash == _hash(token), SESSIONS.c.ends_at > now, SESSIONS.c.seen_at > now - IDLE
        )
        with self.reading() as connection:
            row = connection.execute(live).first()
        if row is None:
            return None
        if now - row.seen_at >= SEEN_EVERY:
            with self.transaction() as connection:
                connection.execute(update(SESSIONS).where(SESSIONS.c.id == row.session_id).values(seen_at=now))
        return person_row(row)

    def end_session(self, token: str) -> None:
        """End a session, if there is one."""
        with self.transaction() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token_hash == _hash(token)))

    def may_try(self, email: str, address: str, *, now: datetime) -> bool:
        """Whether another sign-in may be tried: neither this email nor this address failed too often lately."""
        lately = FAILURES.c.at > now - FAILURES_COUNT
        count = select(func.count()).select_from(FAILURES)
        with self.reading() as connection:
            of_email = connection.execute(count.where(lately, FAILURES.c.email == email.strip().lower())).scalar_one()
            of_address = connection.execute(count.where(lately, FAILURES.c.address == address)).scalar_one()
        return bool(of_email < MOST_FAILURES_OF_EMAIL and of_address < MOST_FAILURES_OF_ADDRESS)

    def note_failure(self, email: str, address: str, *, now: datetime) -> None:
        """Remember a sign-in that failed; those that count no more are removed."""
        row = {"email": email.strip().lower()[:200], "address": address[:64], "at": now}
        with self.transaction() as connection:
            connection.execute(delete(FAILURES).where(FAILURES.c.at <= now - FAILURES_COUNT))
            connection.execute(self.insert(SignInFailure).values(**row))


def _hash(token: str) -> str:
    """The token has 256 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()
