"""Which network addresses a fetch may connect to, and how a host's name becomes one."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from data.errors import AddressRefused, FetchFailed

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, seen through IPv6 forms that wrap an IPv4 one."""
    inner = _wrapped(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 one."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def allowed(addresses: Sequence[str], host: str, *, allow_private: bool) -> list[Address]:
    """The addresses of `host` that may be connected to, in order; AddressRefused when none may."""
    found = [ip_address(text.split("%", 1)[0]) for text in addresses]
    if not found:
        raise FetchFailed(f"{host} has no address; check the spelling")
    fit = [address for address in found if allow_private or is_public(address)]
    if not fit:
        raise AddressRefused(
            f"{host} is at {found[0]}, a private or reserved address; "
            "pass --allow-private (NEWSBELL_ALLOW_PRIVATE_ADDRESSES=true) if that is meant"
        )
    return fit


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses the system knows for a host.

    A daemon thread asks, because a resolver that hangs must not outlive the time limit of a fetch.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: OSError | UnicodeError | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(addresses)
        else:
            answer.set_exception(FetchFailed(f"{host} could not be found: {error}; check the spelling"))

    def ask() -> None:
        addresses: list[str] = []
        error: OSError | UnicodeError | None = None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError) as problem:
            error = problem
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, addresses, error)

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    return await answer
