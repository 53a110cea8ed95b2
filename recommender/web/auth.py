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
from data.store import Store

REMEMBER_S = 5.0  # a revoked key stops working within this time on every worker
MOST_KEYS = 4_096


@dataclass
class Keys:
    """Looks a key's role up, and remembers it for `REMEMBER_S` by its hash."""

    store: Store
    known: dict[bytes, tuple[str, float]] = field(default_factory=dict)

    def role(self, secret: str) -> str | None:
        """The role of a live key; None for one that was never issued or is revoked."""
        digest = sha256(secret.encode()).digest()
        role, until = self.known.get(digest, ("", 0.0))
        if until > monotonic():
            return role
        found = self.store.key_role(secret)
        if found is None:
            self.known.pop(digest, None)
            return None
        if len(self.known) >= MOST_KEYS:
            self.known.clear()
        self.known[digest] = (found, monotonic() + REMEMBER_S)
        return found


def check(request: Request, *roles: str) -> None:
    """Let a request pass whose key has one of `roles`; `operator` covers all. Raises 401 or NotAllowed."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise _who_are_you("Send a key: Authorization: Bearer KEY (`newsbell keys create` makes one).")
    role = request.app.state.site.keys.role(secret.strip())
    if role is None:
        raise _who_are_you("This key is not known or was revoked.")
    if role not in {*roles, "operator"}:
        raise NotAllowed(f"A key of role {role!r} may not do this; use one of role {' or '.join(roles)!r}.")


def check_reading(request: Request) -> None:
    """Let a reading call pass: any app key, or no key where the demo is open to this machine."""
    if "authorization" in request.headers or not is_open(request):
        check(request, "app")


def check_page(request: Request) -> None:
    """Let the demo's pages be seen from this machine only: they show and write what readers read."""
    if not is_open(request):
        raise NotAllowed("The demo's pages are for the machine it runs on; other programs use the API with a key.")


def is_open(request: Request) -> bool:
    """Whether pages and reading calls need no key: `public_reads` is set and the caller is on this machine."""
    return bool(request.app.state.site.settings.public_reads) and is_loopback(request)


def is_loopback(request: Request) -> bool:
    """Whether the request comes from this machine."""
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def needs(*roles: str) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """A route dependency: `check` with these roles."""

    async def checked(request: Request) -> None:
        check(request, *roles)

    return checked


def _who_are_you(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": 'Bearer realm="newsbell"'})
