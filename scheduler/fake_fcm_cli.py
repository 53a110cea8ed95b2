"""The command `fake-fcm`."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

FOLDER = Path("var/fake-fcm")


def fake_fcm(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Plain port; TLS listens on the next one. 0: free ones.")
    ] = 9_099,
    script: Annotated[
        Path | None, typer.Option(help="YAML or JSON: latency, quotas, faults; see docs/fake-fcm.md.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where its certificate and service account are written.")] = FOLDER,
    project: Annotated[str, typer.Option(help="Project of the service account it makes.")] = "demo-news",
) -> None:
    """Run a loopback FCM until stopped: the v1 API, OAuth, and a page that shows every phone.

    Example: newsbell fake-fcm --port 9099
    """
    from scheduler.fake_fcm.script import Script, read_script
    from scheduler.fake_fcm.server import FakeFcm
    from scheduler.fake_fcm.service import Service

    fake = FakeFcm(Service(read_script(script) if script else Script()), folder)

    async def live() -> None:
        await fake.start(port=port, tls_port=port + 1 if port else 0)
        account = fake.account_file(folder, project)
        typer.echo(
            f"fake FCM on {fake.url}; its phones on {fake.plain_url}\n\n"
            f"  export NEWSBELL_SENDER=fcm NEWSBELL_FCM_PROJECT={project}\n"
            f"  export NEWSBELL_FCM_BASE_URL={fake.url} NEWSBELL_FCM_CA_FILE={fake.ca_file}\n"
            f"  export NEWSBELL_FCM_CREDENTIALS={account}\n\n"
            "Stop it with Ctrl-C."
        )
        ending = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        await ending.wait()
        await fake.stop()
        account.unlink(missing_ok=True)

    asyncio.run(live())


def mount(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="fake-fcm")(fake_fcm)
