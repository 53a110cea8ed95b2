"""Schemathesis over the whole OpenAPI document: every call, valid and not, alone and in rows, all checks."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from recommender.web.describe import EXAMPLES

CONFIG = Path(__file__).with_name("schemathesis.toml")


# An erased reader is nobody again: gets the list for newcomers, and is known anew by a device or an event. So what is
# gone is looked for where none of these calls comes between.
REVIVING = ("GET /v1/readers/{reader}/for-you", "PUT /v1/readers/{reader}/devices/{fid}", "POST /v1/events")
RUNS = (
    ["--phases", "examples,coverage,fuzzing"],
    ["--phases", "stateful", "--exclude-checks", "use_after_free"],
    ["--phases", "stateful", *(word for name in REVIVING for word in ("--exclude-name", name))],
)


def explore(newsroom: Any, examples: int, seed: int) -> int:
    """Run schemathesis against a newsroom that holds what the examples name; how many calls were answered."""
    client = newsroom.client("operator")
    client.put("/v1/articles", json=[EXAMPLES["ArticleIn"]])
    client.post("/v1/events", json=[EXAMPLES["EventIn"]])
    for run in RUNS:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"{newsroom.url}/openapi.json", "--checks", "all", "--continue-on-failure", "--no-color", *run),
            *("-H", f"Authorization: Bearer {newsroom.keys['operator']}", "--generation-database", "none"),
            *("-n", str(examples), "--seed", str(seed)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "160"}, check=False)
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    return calls(client)


def calls(client: httpx.Client) -> int:
    """How many calls were answered in all, none of them with a 5xx."""
    counted = re.findall(r'newsbell_http_requests_total\{.*status="(\d+)"\} (\d+)', client.get("/metrics").text)
    assert [status for status, _ in counted if status.startswith("5")] == []
    return sum(int(number) for _, number in counted)


def test_the_api_is_as_it_is_described(newsroom: Any) -> None:
    assert explore(newsroom, 3, int(os.environ.get("SEED", "1"))) > 1_000


@pytest.mark.stress
def test_twenty_thousand_calls_find_nothing(newsroom: Any) -> None:
    counts, seed = 0, int(os.environ.get("SEED", "1"))
    while counts < 20_000:
        counts = explore(newsroom, 250, seed)
        seed += 1
    sys.stdout.write(f"schemathesis: {counts:,} calls\n")
