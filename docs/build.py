"""Rewrite the pages that are generated from the program: settings, commands. Run by `make docs`."""

import re
import sys
from pathlib import Path

import click
import typer

DOCS = Path(__file__).parent


def settings_page() -> str:
    """One row for each environment key."""
    from data.settings import Settings

    lines = [
        "# Settings",
        "",
        "Every key of the environment. Anything an editor may change is a row in the database instead.",
        "",
        "| key | default | what it sets |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        lines.append(f"| `NEWSBELL_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its help, as the program prints it."""
    from scheduler.cli import app

    root = typer.main.get_command(app)
    lines = ["# Commands", "", "What `newsbell --help` says, on one page."]
    lines += _pages(root, "newsbell")
    return "\n".join(lines) + "\n"


def _pages(command: click.Command, path: str) -> list[str]:
    subcommands = getattr(command, "commands", {})
    if subcommands:
        return [line for name, sub in sorted(subcommands.items()) for line in _pages(sub, f"{path} {name}")]
    lines = ["", f"## `{path}`", "", re.sub(r"\s*\n\s*", "\n", (command.help or "").strip())]
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    return lines + (["", "| option | means |", "|---|---|", *rows] if rows else [])


def _row(parameter: click.Parameter) -> str:
    is_option = any(name.startswith("-") for name in parameter.opts)
    names = ", ".join(f"`{name}`" for name in parameter.opts) if is_option else f"`{(parameter.name or '').upper()}`"
    default = parameter.default
    shown = default not in (None, False, "", ()) and not callable(default) and "UNSET" not in str(default)
    text = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| {names} | {text}{f' Default: {default}.' if shown else ''} |"


PAGES = {"settings.md": settings_page, "commands.md": commands_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote docs/{name}\n")
