"""Starting the web server: one process, or several that share one listening socket."""

import errno
import os
import socket
from collections.abc import Callable
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.supervisors import Multiprocess

from data import logs
from data.errors import InvalidSettings
from data.settings import Settings

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # a folder of the workers of one server, set before they start
KEEP_S = 75  # idle connections, longer than proxies keep theirs (60): one reused as it closes fails its request
REPLACE_S = 60  # a worker that does not answer its parent this long is replaced; learning a vocabulary may take long
APP = "recommender.web.app:from_environment"
GRACE_S = 10  # requests in flight get this long when the server is told to stop


def run(settings: Settings, *, workers: int = 1, announce: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGINT or SIGTERM; `announce` gets the URL first. InvalidSettings if the address cannot be had.

    Workers are processes of their own: they get the settings through the environment and see each other's writes in
    the database. One that dies is replaced.
    """
    listener = listen(settings.host, settings.port)
    announce(address(listener))
    export(settings)
    config = uvicorn.Config(
        APP,
        factory=True,
        workers=workers,
        loop="uvloop",
        http="recommender.web.joined:Protocol",
        ws="none",
        access_log=False,  # its lines name readers and what they read
        server_header=False,
        log_level=settings.log_level.lower(),
        log_config=None,  # ours: text or JSON, with the id of the request
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_S,
        timeout_worker_healthcheck=REPLACE_S,
    )
    logs.configure(settings)
    with listener:
        if workers > 1:
            with TemporaryDirectory(prefix="newsbell-workers-") as folder:
                os.environ[SHARED] = folder
                _Workers(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])


class _Workers(Multiprocess):
    """The workers' parent. It holds its own end alone of what it asks each worker through.

    With the worker's end held here too, a worker killed between question and answer would be waited for REPLACE_S long,
    by its replacement and by a stop; so the question ends with the worker.
    """

    def init_processes(self) -> None:
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        for process in self.processes:
            process.child_conn.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. InvalidSettings says what to do when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        raise InvalidSettings(_mend(error, host, port)) from None
    listener.set_inheritable(True)
    return listener


def _mend(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; stop what listens there, or choose another with --port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; choose one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror or error}; check --host"


def address(listener: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def export(settings: Settings) -> None:
    """Put settings given on the command line where worker processes find them."""
    for name, value in settings.model_dump(exclude_none=True, exclude_defaults=True).items():
        os.environ[f"NEWSBELL_{name.upper()}"] = str(value)
