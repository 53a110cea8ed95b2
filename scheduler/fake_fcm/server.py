"""Sockets: one TLS and one plain port on the loopback, HTTP/1.1 and HTTP/2 on both."""

import asyncio
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from data.errors import InvalidSettings
from scheduler.fake_fcm import certificates
from scheduler.fake_fcm.control import Control
from scheduler.fake_fcm.h1wire import H1Wire
from scheduler.fake_fcm.h2wire import H2Wire
from scheduler.fake_fcm.script import Script
from scheduler.fake_fcm.service import Service

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Port(asyncio.Protocol):
    """One connection: finds out which HTTP is spoken, then leaves it to that wire."""

    def __init__(self, server: "FakeFcm") -> None:
        self.server = server
        self.wire: H1Wire | H2Wire | None = None
        self.first = b""
        self.is_made = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  asyncio's own promise for streams
        self.transport = transport
        self.server.transports.add(transport)
        self.server.service.log.connections += 1
        self.number = self.server.service.log.connections
        secure: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if secure is not None and secure.selected_alpn_protocol() == "h2":
            self._speak_h2()
        self.is_made = True
        if self.first:
            data, self.first = self.first, b""
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if not self.is_made:  # after `start_tls`, bytes may come before it returns
            self.first += data
            return
        if self.wire is None:
            self.first += data
            if len(self.first) < len(PREFACE) and PREFACE.startswith(self.first):
                return
            data = self.first
            if data.startswith(PREFACE):
                self._speak_h2()
            else:
                self.wire = H1Wire(self.transport, self.server.handle, self.number, self._connect)
        assert self.wire is not None  # noqa: S101
        self.wire.received(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.is_made:
            self.server.transports.discard(self.transport)
        if self.wire is not None:
            self.wire.closed()

    def _speak_h2(self) -> None:
        log = self.server.service.log

        def went_away() -> None:
            log.goaways += 1

        style = self.server.service.script.connection
        self.wire = H2Wire(self.transport, self.server.handle, style, self.number, went_away)

    def _connect(self) -> None:
        """A proxy's CONNECT: from here on the client speaks TLS to the host it asked for, which is us."""
        task = asyncio.ensure_future(self._secure())
        self.server.tasks.add(task)
        task.add_done_callback(self.server.tasks.discard)

    async def _secure(self) -> None:
        loop, fresh = asyncio.get_running_loop(), Port(self.server)
        try:
            made = await loop.start_tls(self.transport, fresh, self.server.tls, server_side=True)
        except (OSError, ssl.SSLError):
            return
        if made is not None:
            fresh.connection_made(made)


class FakeFcm:
    """The server. `start` inside a running event loop, or use `running()` from anywhere."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.ca_file, self.chain = certificates.make(folder)
        self.tls = certificates.context(self.chain)
        self.control = Control(service)
        self.transports: set[asyncio.Transport] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = self.tls_port = 0
        self._servers: list[asyncio.Server] = []

    @property
    def url(self) -> str:
        """The TLS address: what `NEWSBELL_FCM_BASE_URL` takes."""
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def plain_url(self) -> str:
        """The address without TLS: h1, h2 with prior knowledge, the page, and the proxy for clients that need one."""
        return f"http://127.0.0.1:{self.port}"

    def handle(self, request: Any) -> Any:
        """The page and its calls first, then FCM."""
        return self.control.handle(request) or self.service.handle(request)

    async def start(self, *, port: int = 0, tls_port: int = 0) -> None:
        """Listen on the loopback alone."""
        loop = asyncio.get_running_loop()
        try:
            plain = await loop.create_server(lambda: Port(self), "127.0.0.1", port, backlog=1_024)
            secure = await loop.create_server(lambda: Port(self), "127.0.0.1", tls_port, ssl=self.tls, backlog=1_024)
        except OSError as error:
            raise InvalidSettings(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; give another --port") from None
        self._servers = [plain, secure]
        self.port, self.tls_port = _port(plain), _port(secure)
        self.control.addresses = (self.plain_url, self.url)

    async def stop(self) -> None:
        """Close every connection."""
        for server in self._servers:
            server.close()
        for transport in list(self.transports):
            transport.abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}  # TLS handshakes among them
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def account_file(self, folder: Path, project: str = "demo-news") -> Path:
        """Write a service-account file whose key this fake knows."""
        path = folder / f"{project}-{len(self.service.oauth.keys)}.json"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(self.service.oauth.account(project, f"{self.plain_url}/token")))
        return path


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


@contextmanager
def running(script: Script | None = None, *, port: int = 0, folder: Path | None = None) -> Iterator[FakeFcm]:
    """A fake that lives as long as the block, in a background thread. Ports are free ones unless given."""
    with tempfile.TemporaryDirectory(prefix="newsbell-fake-fcm-") as made:
        fake = FakeFcm(Service(script or Script()), folder or Path(made))
        ready, ending = threading.Event(), threading.Event()
        loop = asyncio.new_event_loop()

        async def live() -> None:
            await fake.start(port=port)
            ready.set()
            while not ending.is_set():
                await asyncio.sleep(0.02)
            await fake.stop()

        thread = threading.Thread(target=loop.run_until_complete, args=(live(),), name="fake-fcm", daemon=True)
        thread.start()
        if not ready.wait(10):
            raise InvalidSettings("the fake did not start; is the port free?")
        try:
            yield fake
        finally:
            ending.set()
            thread.join(10)
            loop.close()
