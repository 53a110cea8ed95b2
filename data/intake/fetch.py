"""One polite, bounded GET of a feed: total time, size, redirects and addresses are all limited."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import httpx

from data.errors import AddressRefused, FetchFailed
from data.intake.address import Address, Resolve, allowed, resolve
from data.intake.inflate import Body, too_large
from data.settings import Settings

MAX_REDIRECTS = 5
_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer with a body. `url` is where it came from after redirects; `moved_to` a lasting new address."""

    url: str
    body: bytes
    content_type: str | None
    etag: str | None
    last_modified: str | None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The feed is as it was when `etag` or `last_modified` was learned."""

    url: str


@dataclass(frozen=True, slots=True)
class _Redirect:
    url: str
    lasting: bool


def fetch(
    url: str,
    settings: Settings,
    etag: str | None = None,
    last_modified: str | None = None,
    *,
    lookup: Resolve = resolve,
) -> Fetched | NotModified:
    """GET a feed within `settings.fetch_timeout_s` in all and `settings.fetch_max_bytes` after decompression.

    At most 5 redirects; each hop's host is looked up once, checked, and the checked address itself is connected to.
    Raises AddressRefused (private or not http), TooLarge, or FetchFailed with the reason. Environment proxies are
    not used: behind one, the address check would mean nothing.
    """
    work = _follow(url, settings, _headers(etag, last_modified), lookup)
    # A thread of its own, so that a caller inside a running event loop may call this too.
    with ThreadPoolExecutor(1, thread_name_prefix="fetch") as pool:
        return pool.submit(asyncio.run, _in_time(work, shown(url), settings.fetch_timeout_s)).result()


async def _in_time(work: object, name: str, timeout_s: float) -> Fetched | NotModified:
    try:
        async with asyncio.timeout(timeout_s):
            return await work  # type: ignore[misc, no-any-return]
    except TimeoutError:
        raise FetchFailed(
            f"{name} did not end within {timeout_s:g} s; try again or raise NEWSBELL_FETCH_TIMEOUT_S"
        ) from None


async def _follow(url: str, settings: Settings, headers: dict[str, str], lookup: Resolve) -> Fetched | NotModified:
    moved_to, lasting = None, True
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=settings.fetch_timeout_s) as client:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await _hop(client, url, settings, headers, lookup)
            if isinstance(answer, NotModified):
                return answer
            if isinstance(answer, Fetched):
                return Fetched(url, answer.body, answer.content_type, answer.etag, answer.last_modified, moved_to)
            url, lasting = answer.url, lasting and answer.lasting
            moved_to = url if lasting else moved_to
    raise FetchFailed(f"{shown(url)} redirects more than {MAX_REDIRECTS} times; give the final address")


async def _hop(
    client: httpx.AsyncClient, url: str, settings: Settings, headers: dict[str, str], lookup: Resolve
) -> Fetched | NotModified | _Redirect:
    target = _checked(url)
    port = target.port or (443 if target.scheme == "https" else 80)
    found = allowed(await lookup(target.host, port), target.host, allow_private=settings.allow_private_addresses)
    problem: Exception | None = None
    for address in found:
        try:
            return await _get(client, target, address, settings, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            problem = error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise FetchFailed(f"{shown(url)} could not be read: {_cause(error)}") from None
    raise FetchFailed(f"{shown(url)} could not be reached: {_cause(problem)}")


def _checked(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url.strip())
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchFailed(f"{url[:200]!r} is no address: {error}") from None
    if target.scheme not in {"http", "https"}:
        raise AddressRefused(f"{shown(url)} is not an http or https address")
    if not target.host:
        raise FetchFailed(f"{url[:200]!r} names no host")
    return target


async def _get(
    client: httpx.AsyncClient, target: httpx.URL, address: Address, settings: Settings, headers: dict[str, str]
) -> Fetched | NotModified | _Redirect:
    # The request goes to the checked address; Host and the certificate's name stay those of the URL.
    pinned = target.copy_with(host=str(address), fragment=None)
    request = client.build_request(
        "GET",
        pinned,
        headers={**headers, "Host": target.netloc.decode("ascii")},
        extensions=_extensions(target, settings),
    )
    response = await client.send(request, stream=True)
    try:
        return await _answer(response, target, settings.fetch_max_bytes)
    finally:
        await response.aclose()


def _extensions(target: httpx.URL, settings: Settings) -> dict[str, object]:
    limits = httpx.Timeout(settings.fetch_timeout_s).as_dict()
    return {"sni_hostname": target.raw_host.decode("ascii"), "timeout": limits}


async def _answer(response: httpx.Response, target: httpx.URL, limit: int) -> Fetched | NotModified | _Redirect:
    name = shown(str(target))
    if response.status_code == httpx.codes.NOT_MODIFIED:
        return NotModified(str(target))
    location = response.headers.get("location")
    if response.is_redirect and location:
        return _Redirect(_joined(target, location), response.status_code in {301, 308})
    if response.status_code != httpx.codes.OK:
        raise FetchFailed(f"{name} answered {response.status_code} {response.reason_phrase}{_advice(response)}")
    if _declared_size(response) > limit:
        raise too_large(name, limit)
    body = Body(name, response.headers.get("content-encoding", ""), limit)
    async for chunk in response.aiter_raw():
        body.feed(chunk)
    get = response.headers.get
    return Fetched(str(target), body.content(), get("content-type"), get("etag"), get("last-modified"))


def _joined(target: httpx.URL, location: str) -> str:
    try:
        return str(target.join(location))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchFailed(f"{shown(str(target))} redirects to {location[:200]!r}, no address: {error}") from None


def _declared_size(response: httpx.Response) -> int:
    text = response.headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _advice(response: httpx.Response) -> str:
    if response.status_code == httpx.codes.GONE:
        return ": the feed has ended; remove it"
    wait = response.headers.get("retry-after", "")
    return f": try again after {wait[:40]}" if wait else ""


def _headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    headers = {"User-Agent": user_agent(), "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
    if etag and _is_header_text(etag):
        headers["If-None-Match"] = etag
    if last_modified and _is_header_text(last_modified):
        headers["If-Modified-Since"] = last_modified
    return headers


def _is_header_text(value: str) -> bool:
    return value.isascii() and value.isprintable()


def user_agent() -> str:
    """`Newsbell/<version>`."""
    try:
        return f"Newsbell/{version('newsbell')}"
    except PackageNotFoundError:
        return "Newsbell/0"


def shown(url: str) -> str:
    """An address as messages show it: without a password, at most 200 characters."""
    return re.sub(r"(?<=//)[^/@]*@", "", url.strip())[:200]


def _cause(error: Exception | None) -> str:
    return str(error) or type(error).__name__
