"""The repository: nothing in it belongs to a machine, a registry or somebody's secrets, and its pages are true."""

import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "a machine's path": re.compile(r"(?<![\w.])/(?:ro[o]t|hom[e]/\w+|wor[k]|User[s]/\w+)/"),
    "a package registry's host": re.compile(r"pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|deb\.debia[n]\.org"),
    "a private key": re.compile(r"-----BEGI[N] [A-Z ]*PRIVATE KEY"),
    "an OAuth token": re.compile(r"ya29\.[\w-]{20,}"),
    "an API key of ours": re.compile(r"nb_[0-9a-f]{8}_[\w-]{30,}"),
}


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout: nothing is tracked")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "ignore")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in tracked_files() if FORBIDDEN[what].search(text_of(path))] == []


def test_only_the_three_rooms_hold_code() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked_files() if path.suffix == ".py"}
    assert folders <= {"data", "recommender", "scheduler", "tests", "benchmarks", "docs"}


def test_every_locked_package_is_pinned_by_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        pins = re.findall(r"^(\S+==\S+)(.*?)(?=^\S|\Z)", text_of(ROOT / name), re.M | re.S)
        assert len(pins) > 50
        assert all("--hash=sha256:" in rest for _, rest in pins)


def generator() -> ModuleType:
    spec = spec_from_file_location("newsbell_docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "commands.md"])
def test_generated_pages_are_those_of_the_program(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generator().PAGES[name](), "run `make docs`"


def test_every_local_link_of_the_docs_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked_files()
        if page.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(page))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []
