"""API keys and people. Only hashes are kept."""

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select

from data.models import Key, Person
from data.store.database import Database, table

KEYS, PEOPLE = table(Key), table(Person)


class Keys(Database):
    """Who may call."""

    def create_key(self, role: str, label: str = "", *, now: datetime) -> str:
        """Make a key for a role (app, ingest, operator) and return its secret, which is shown only here."""
        prefix, rest = secrets.token_hex(4), secrets.token_urlsafe(32)
        secret = f"nb_{prefix}_{rest}"
        fields = {"prefix": prefix, "secret_hash": _hash(secret), "role": role, "label": label, "created_at": now}
        with self.transaction() as connection:
            connection.execute(self.insert(Key).values(**fields))
        return secret

    def key_role(self, secret: str) -> str | None:
        """The role of a key, or None if it is unknown or revoked. Compares in constant time."""
        parts = secret.split("_", 2)
        prefix = parts[1] if len(parts) == 3 else ""
        query = select(KEYS.c.secret_hash, KEYS.c.role).where(KEYS.c.prefix == prefix, KEYS.c.revoked_at.is_(None))
        with self.reading() as connection:
            row = connection.execute(query).first()
        if row is None or not hmac.compare_digest(row.secret_hash, _hash(secret)):
            return None
        return str(row.role)

    def add_person(self, email: str, role: str, secret: str, *, now: datetime) -> None:
        """Let somebody sign in to the console; an email known already gets the new role and secret."""
        salt = secrets.token_bytes(16)
        digest = hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1)
        values = {"role": role, "secret_hash": f"scrypt:{salt.hex()}:{digest.hex()}"}
        with self.transaction() as connection:
            made = self.insert(Person).values(email=email, created_at=now, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["email"], set_=values))


def _hash(secret: str) -> str:
    """The secret has 256 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
