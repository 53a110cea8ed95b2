"""Servers to send to: nginx with its echo module, cheap, and the faithful fake; each a process of its own."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scheduler.fake_fcm import certificates

LATENCY_MS = 80
ECHO = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
_NGINX = """load_module {echo};
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600; http2_max_concurrent_streams 100;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {chain}; ssl_certificate_key {chain};
    location / {{ default_type application/json; echo_sleep {latency};
      echo '{{"name":"projects/demo-news/messages/0:1500415314455276%31bd1c9631bd1c96"}}'; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """Where to send, and whose CPU to read."""

    name: str
    port: int
    ca_file: Path
    pids: tuple[int, ...]
    plain_port: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        return sum(_cpu_s(pid) for pid in self.pids)


def has_nginx() -> bool:
    """Whether Debian's nginx and its echo module are installed (packages nginx, libnginx-mod-http-echo)."""
    return shutil.which("nginx") is not None and ECHO.exists()


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """One worker, TLS, HTTP/2 and HTTP/1.1, every answer after 80 ms."""
    ca_file, chain = certificates.make(folder)
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(echo=ECHO, folder=folder, port=port, chain=chain, latency=LATENCY_MS / 1e3), encoding="utf-8"
    )
    with _process(["nginx", "-p", str(folder), "-c", str(config)]) as process:
        _wait(port)
        yield Server("nginx", port, ca_file, _children(process.pid))


@contextlib.contextmanager
def fake(folder: Path, **script: object) -> Iterator[Server]:
    """The loopback FCM with 80 ms latency; phones and lines are not kept."""
    port = _free_port()
    file = folder / "script.json"
    quiet = {"per_minute": None, "per_device_minute": None}
    given = {
        "latency": {"ms": LATENCY_MS},
        "quota": quiet,
        "keep_phones": 0,
        "log_requests": False,
        "any_bearer": True,
    } | script
    file.write_text(json.dumps(given))
    options = ["--port", str(port), "--script", str(file), "--folder", str(folder / "fake")]
    with _process([sys.executable, "-m", "scheduler.cli", "fake-fcm", *options]) as process:
        _wait(port + 1)
        yield Server("fake", port + 1, folder / "fake" / "ca.pem", (process.pid,), port)


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def _children(pid: int) -> tuple[int, ...]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return tuple(int(one) for one in found) or (pid,)


def _cpu_s(pid: int, *, with_ended: bool = False) -> float:
    """CPU seconds of a process, on request with those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(one) for one in fields[11 : 15 if with_ended else 13]) / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process and of all its children, like a PostgreSQL server and its backends."""
    total = _cpu_s(pid, with_ended=True)
    for child in _children(pid):
        with contextlib.suppress(OSError):  # it has ended meanwhile: counted above the next time
            total += _cpu_s(child) if child != pid else 0.0
    return total


def _free_port() -> int:
    """A port that is free now, and the one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return int(port)
