import asyncio
import gzip
import ssl
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from data.errors import AddressRefused, FetchFailed, TooLarge
from data.intake.address import is_public
from data.intake.fetch import Fetched, NotModified, fetch, shown
from data.settings import Settings


def got(url: str, settings: Settings, **options: Any) -> Fetched:
    answer = fetch(url, settings, **options)
    assert isinstance(answer, Fetched)
    return answer


def test_a_feed_is_fetched_with_its_validators(site: Any, local: Settings) -> None:
    url = site.page(
        "/rss", b"<rss/>", etag='"v1"', last_modified="Sun, 01 Mar 2026 08:00:00 GMT", content_type="text/xml"
    )
    answer = got(url, local)
    assert (answer.body, answer.etag, answer.content_type) == (b"<rss/>", '"v1"', "text/xml")
    assert answer.last_modified == "Sun, 01 Mar 2026 08:00:00 GMT"
    _, headers = site.seen[0]
    assert headers["user-agent"].startswith("Newsbell/")
    assert headers["host"] == f"127.0.0.1:{site.port}"


def test_a_conditional_get_sends_what_was_learned_and_understands_304(site: Any, local: Settings) -> None:
    url = site.page("/rss", status=304)
    answer = fetch(url, local, '"v1"', "Sun, 01 Mar 2026 08:00:00 GMT")
    assert isinstance(answer, NotModified)
    _, headers = site.seen[0]
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"v1"', "Sun, 01 Mar 2026 08:00:00 GMT")


def test_validators_that_are_no_header_text_are_not_sent(site: Any, local: Settings) -> None:
    got(site.page("/rss", b"x"), local, etag='"a"\r\nX-Evil: 1')
    _, headers = site.seen[0]
    assert "if-none-match" not in headers
    assert "x-evil" not in headers


def test_private_addresses_are_refused_before_anything_is_sent(site: Any) -> None:
    with pytest.raises(AddressRefused, match="--allow-private"):
        fetch(site.page("/rss", b"x"), Settings())
    assert site.seen == []


INSIDE = """
127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 255.255.255.255 240.0.0.1
192.0.2.1 ::1 :: fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_no_address_inside_a_network_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "[::ffff:127.0.0.1]"])
def test_other_spellings_of_loopback_are_refused_too(site: Any, host: str) -> None:
    with pytest.raises(FetchFailed):
        fetch(f"http://{host}:{site.port}/rss", Settings())
    assert site.seen == []


def test_the_checked_address_is_the_one_connected_to(site: Any, local: Settings) -> None:
    asked: list[str] = []

    async def lookup(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    site.page("/rss", b"<rss/>")
    got(f"http://news.example:{site.port}/rss", local, lookup=lookup)
    assert asked == ["news.example"]  # once: a second look-up could have answered differently
    assert site.seen[0][1]["host"] == f"news.example:{site.port}"


def test_a_name_that_rebinds_to_a_private_address_is_refused(site: Any) -> None:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    with pytest.raises(AddressRefused):
        fetch(f"http://news.example:{site.port}/rss", Settings(), lookup=lookup)
    assert site.seen == []


def test_a_redirect_is_checked_like_the_first_address(site: Any, local: Settings) -> None:
    for target in ("file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/x"):
        with pytest.raises(AddressRefused, match="not an http"):
            fetch(site.page("/r", status=302, location=target), local)


def test_redirects_are_followed_and_a_lasting_move_is_told(site: Any, local: Settings) -> None:
    site.page("/c", b"here")
    site.page("/b", status=308, location="/c")
    answer = got(site.page("/a", status=301, location="/b"), local)
    assert (answer.body, answer.url, answer.moved_to) == (b"here", site.url("/c"), site.url("/c"))
    site.page("/t", status=302, location="/c")
    assert got(site.url("/t"), local).moved_to is None


def test_a_redirect_loop_ends(site: Any, local: Settings) -> None:
    with pytest.raises(FetchFailed, match="redirects more than 5 times"):
        fetch(site.page("/loop", status=302, location="/loop"), local)
    assert len(site.seen) == 6


def _forever(pause_s: float, piece: bytes) -> Any:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(piece)
            request.wfile.flush()
            time.sleep(pause_s)

    return answer


def test_a_feed_that_drips_forever_stops_at_the_time_limit(site: Any) -> None:
    site.pages["/drip"] = _forever(0.05, b"x")
    began = time.monotonic()
    with pytest.raises(FetchFailed, match="did not end within"):
        fetch(site.url("/drip"), Settings(allow_private_addresses=True, fetch_timeout_s=0.5))
    assert time.monotonic() - began < 5


def test_headers_that_drip_forever_stop_at_the_time_limit(site: Any) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            request.wfile.write(b"y")
            request.wfile.flush()
            time.sleep(0.05)

    site.pages["/slow"] = answer
    with pytest.raises(FetchFailed, match="did not end within"):
        fetch(site.url("/slow"), Settings(allow_private_addresses=True, fetch_timeout_s=0.5))


def test_a_look_up_that_hangs_stops_at_the_time_limit() -> None:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(FetchFailed, match="did not end within"):
        fetch("http://news.example/", Settings(fetch_timeout_s=0.2), lookup=lookup)


def test_a_feed_that_never_ends_stops_at_the_size_limit(site: Any, local: Settings) -> None:
    site.pages["/flood"] = _forever(0, b"x" * 100_000)
    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        fetch(site.url("/flood"), local)


def test_a_declared_50_mb_feed_is_not_even_begun(site: Any, local: Settings) -> None:
    with pytest.raises(TooLarge, match="NEWSBELL_FETCH_MAX_BYTES"):
        fetch(site.page("/big", b"", content_length="50000000"), local)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_answer_that_unpacks_to_too_much_is_stopped(site: Any, local: Settings, encoding: str) -> None:
    packed = (gzip.compress if encoding == "gzip" else zlib.compress)(bytes(50_000_000))
    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        fetch(site.page("/bomb", packed, content_encoding=encoding), local)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"<rss/>", mtime=0)),
        ("gzip", gzip.compress(b"<rss", mtime=0) + gzip.compress(b"/>", mtime=0)),
        ("gzip", gzip.compress(b"<rss/>", mtime=0) + b"rubbish"),
        ("deflate", zlib.compress(b"<rss/>")),
        ("deflate", _raw_deflate(b"<rss/>")),
        ("identity", b"<rss/>"),
    ],
)
def test_compressed_answers_are_unpacked(site: Any, local: Settings, encoding: str, packed: bytes) -> None:
    assert got(site.page("/z", packed, content_encoding=encoding), local).body == b"<rss/>"


@pytest.mark.parametrize(("encoding", "body"), [("gzip", b"not gzip at all"), ("br", b"x"), ("gzip, gzip", b"x")])
def test_a_damaged_or_unasked_compression_is_named(site: Any, local: Settings, encoding: str, body: bytes) -> None:
    with pytest.raises(FetchFailed, match=r"damaged|compressed as"):
        fetch(site.page("/z", body, content_encoding=encoding), local)


@pytest.mark.parametrize(
    ("status", "says"), [(404, "404"), (410, "the feed has ended"), (500, "500"), (429, "try again after 120")]
)
def test_an_error_answer_is_told_with_its_status(site: Any, local: Settings, status: int, says: str) -> None:
    with pytest.raises(FetchFailed, match=says):
        fetch(site.page("/x", b"", status=status, retry_after="120"), local)


def test_an_answer_shorter_than_declared_is_a_failure(site: Any, local: Settings) -> None:
    with pytest.raises(FetchFailed, match="could not be read"):
        fetch(site.page("/short", b"<rss>", content_length="500"), local)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "news.example/rss", "http://", "http://a b/", "http://[::1", "http://x:99999/"]
)
def test_what_is_no_http_address_is_refused(url: str, local: Settings) -> None:
    with pytest.raises(FetchFailed):
        fetch(url, local)


def test_nobody_listening_is_told(local: Settings) -> None:
    with pytest.raises(FetchFailed, match="could not be reached"):
        fetch("http://127.0.0.1:1/", local)


def test_passwords_in_addresses_are_never_shown(site: Any, local: Settings) -> None:
    site.page("/x", status=404)
    url = f"http://ada:secret@127.0.0.1:{site.port}/x"
    with pytest.raises(FetchFailed) as caught:
        fetch(url, local)
    assert "secret" not in str(caught.value)
    assert site.seen[0][1]["authorization"].startswith("Basic ")
    assert shown(url) == site.url("/x")


def test_fetching_works_inside_a_running_event_loop(site: Any, local: Settings) -> None:
    url = site.page("/rss", b"ok")

    async def caller() -> Fetched:
        return got(url, local)

    assert asyncio.run(caller()).body == b"ok"


def _certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, today - timedelta(1), today + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_certificates_are_checked_against_the_name_not_the_address(
    site: Any, local: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _certificate(tmp_path, "news.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    site.encrypt(context)
    site.page("/rss", b"<rss/>")
    trusting = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr(httpx, "AsyncClient", partial(httpx.AsyncClient, verify=trusting))

    async def lookup(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    assert got(f"https://news.example:{site.port}/rss", local, lookup=lookup).body == b"<rss/>"
    with pytest.raises(FetchFailed, match="certificate"):
        fetch(f"https://other.example:{site.port}/rss", local, lookup=lookup)
