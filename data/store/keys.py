"""API keys. Only hashes are kept."""

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select

from data.models import Key
from data.store.database import Database, table

KEYS = table(Key)


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


def _hash(secret: str) -> str:
    """The secret has 256 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
