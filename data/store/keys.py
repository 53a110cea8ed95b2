"""API keys. Only hashes are kept."""

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select, update

from data.errors import NotFound
from data.models import Key
from data.store.database import Database, table
from data.values import KeyRow

KEYS = table(Key)
NOBODY = "0" * 64  # compared with where there is no such key, so that both take as long


class Keys(Database):
    """Who may call."""

    def create_key(self, role: str, label: str = "", *, now: datetime, rate_per_s: float | None = None) -> str:
        """Make a key for a role (app, ingest, operator) and return its secret, which is shown only here.

        `rate_per_s` is the most requests a second; None leaves it to the settings.
        """
        prefix, rest = secrets.token_hex(4), secrets.token_urlsafe(32)
        secret = f"nb_{prefix}_{rest}"
        fields = {"prefix": prefix, "secret_hash": _hash(secret), "role": role, "label": label, "created_at": now}
        fields["rate_per_s"] = rate_per_s
        with self.transaction() as connection:
            connection.execute(self.insert(Key).values(**fields))
        return secret

    def key_role(self, secret: str) -> str | None:
        """The role of a key, or None if it is unknown or revoked. Compares in constant time."""
        found = self.find_key(secret)
        return found.role if found else None

    def find_key(self, secret: str) -> KeyRow | None:
        """A live key by its secret; None if it was never issued or is revoked. Compares in constant time."""
        parts = secret.split("_", 2)
        prefix = parts[1] if len(parts) == 3 else ""
        query = select(KEYS).where(KEYS.c.prefix == prefix, KEYS.c.revoked_at.is_(None))
        with self.reading() as connection:
            row = connection.execute(query).first()
        if not hmac.compare_digest(row.secret_hash if row else NOBODY, _hash(secret)) or row is None:
            return None
        return KeyRow(row.id, row.role, row.rate_per_s)

    def revoke_key(self, prefix: str, *, now: datetime) -> None:
        """Make a key useless from now on, by the part of it behind `nb_`; NotFound if there is none."""
        change = update(KEYS).where(KEYS.c.prefix == prefix, KEYS.c.revoked_at.is_(None)).values(revoked_at=now)
        with self.transaction() as connection:
            if not connection.execute(change).rowcount:
                raise NotFound(f"no live key begins with nb_{prefix[:20]}; `newsbell keys create` makes one")


def _hash(secret: str) -> str:
    """The secret has 256 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
