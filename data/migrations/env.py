"""Runs migrations on the connection handed in by `data.migrate`."""

from typing import Any

from alembic import context
from sqlmodel import SQLModel

import data.models  # noqa: F401  registers the tables


def _note(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:  # noqa: ARG001  Alembic passes them by name
    ran = context.config.attributes.get("ran")
    if ran is not None:
        ran.append(step.up_revision_id)


def _migrate() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        on_version_apply=_note,
    )
    with context.begin_transaction():
        context.run_migrations()


_migrate()
