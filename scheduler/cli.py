"""The `newsbell` command: mounts every room's commands and turns errors into one line."""

import importlib
import os
import sys

import typer

from data.errors import NewsbellError

# Before numpy is loaded: many small products gain nothing by BLAS threads, which only wake each other up.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    name="newsbell",
    help="Recommendations and push alerts that a newsroom runs itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ROOMS = (
    "data.cli",
    "data.ingest_cli",
    "recommender.cli",
    "recommender.evaluate.cli",
    "recommender.experiments.cli",
    "recommender.learned_push.cli",
    "recommender.replay.cli",
    "recommender.learn.cli",
    "recommender.web.cli",
    "scheduler.push_cli",
    "scheduler.policy_cli",
    "scheduler.campaign_cli",
    "scheduler.broadcast_cli",
    "scheduler.fake_fcm_cli",
    "scheduler.demo",
)

for room in ROOMS:
    importlib.import_module(room).mount(app)


def main() -> None:
    """Run one command. Exit 0 on success, 1 on failure, 2 on wrong usage; errors are one line on stderr."""
    try:
        app()
    except NewsbellError as error:
        typer.echo(f"newsbell: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: nothing to say
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
