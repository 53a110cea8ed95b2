"""Who may call what: API keys by role, and the demo's open reading from the same machine."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from data.errors import NotAllowed
from data.settings import Settings
from data.store import Store
from data.values import KeyRow
from recommender.web.limits import Limits

REMEMBER_S = 5.0  # a revoked key stops working within this time on every worker
MOST_KEYS = 4_096


@dataclass
class Keys:
    """Looks keys up, and remembers each for `REMEMBER_S` by its hash."""

    store: Store
    limits: Limits
    rate_per_s: float = 0.0  # of a key that has no rate of its own
    known: dict[bytes, tuple[KeyRow, float]] = field(default_factory=dict)

    def find(self, secret: str) -> KeyRow | None:
        """A live key; None for one that was never issued or is revoked."""
        digest = sha256(secret.encode()).digest()
        held = self.known.get(digest)
        if held and held[1] > monotonic():
            return held[0]
        found = self.store.find_key(secret)
        if found is None:
            self.known.pop(digest, None)
            return None
        if len(self.known) >= MOST_KEYS:
            self.known.clear()
        self.known[digest] = (found, monotonic() + REMEMBER_S)
        return found

    def check(self, header: str, *roles: str) -> None:
        """Let a call pass whose `Authorization` has a key of one of `roles` that may call now; `operator` covers all.

        Raises 401, NotAllowed or TooMany.
        """
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _who_are_you("Send a key: Authorization: Bearer KEY (`newsbell keys create` makes one).")
        key = self.find(secret.strip())
        if key is None:
            raise _who_are_you("This key is not known or was revoked.")
        if key.role not in roles and key.role != "operator":
            raise NotAllowed(f"A key of role {key.role!r} may not do this; use one of role {' or '.join(roles)!r}.")
        self.limits.take(key.id, self.rate_per_s if key.rate_per_s is None else key.rate_per_s)


def check(request: Request, *roles: str) -> None:
    """Let a request pass whose key has one of `roles`: see `Keys.check`."""
    request.app.state.site.keys.check(request.headers.get("authorization", ""), *roles)


def check_reading(request: Request) -> None:
    """Let a reading call pass: any app key, or no key where the demo is open to this machine."""
    if "authorization" in request.headers or not is_open(request):
        check(request, "app")


def check_page(request: Request) -> None:
    """Let the demo's pages be seen from this machine only: they show and write what readers read."""
    if not is_open(request):
        raise NotAllowed("The demo's pages are for the machine it runs on; other programs use the API with a key.")


def is_open(request: Request) -> bool:
    """Whether pages and reading calls need no key."""
    return open_to(request.app.state.site.settings, request.scope.get("client"))


def open_to(settings: Settings, client: Any) -> bool:
    """Whether a caller needs no key to read: `public_reads` is set and the address is of this machine."""
    if not settings.public_reads or not client:
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:
        return False


def needs(*roles: str) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """A route dependency: `check` with these roles."""

    async def checked(request: Request) -> None:
        check(request, *roles)

    return checked


def _who_are_you(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": 'Bearer realm="newsbell"'})
