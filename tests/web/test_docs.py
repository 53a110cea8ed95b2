"""docs/api.md against the real API."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn, ReaderPatch
from recommender.web import problems
from recommender.web import shapes as shapes_of_answers
from recommender.web.describe import EXAMPLES
from recommender.web.examples import ANSWERS

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
SHAPES = {"PUT /v1/articles": ArticleIn, "POST /v1/events": EventIn}
SINGLE = {
    "PUT /v1/readers/{reader}": (ReaderIn, {"id": "r"}),
    "PATCH /v1/readers/{reader}": (ReaderPatch, {}),
    "PUT /v1/readers/{reader}/devices/{fid}": (DeviceIn, {"fid": "f"}),
}


def sections() -> dict[str, str]:
    parts = re.split(r"^### (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_tells_of_exactly_the_calls_there_are(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    calls = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert set(sections()) == calls


@pytest.mark.parametrize("call", sorted(SHAPES | SINGLE))
def test_the_examples_are_taken_as_they_are(call: str) -> None:
    example = json.loads(re.findall(r"```json\n(.*?)```", sections()[call], re.DOTALL)[0])
    if call in SHAPES:
        assert [SHAPES[call].model_validate(item) for item in example]
    else:
        shape, from_path = SINGLE[call]
        assert shape.model_validate(example | from_path)


def test_the_examples_of_the_description_are_taken_as_they_are() -> None:
    shapes: dict[str, Any] = {one.__name__: one for one in (ArticleIn, EventIn, ReaderIn, ReaderPatch, DeviceIn)}
    for name, answer in ANSWERS.items():
        getattr(shapes_of_answers, name, problems.Problem).model_validate(answer)
    from_path = {"ReaderIn": {"id": "r"}, "DeviceIn": {"fid": "f"}}
    for name, example in EXAMPLES.items():
        shapes[name].model_validate(example | from_path.get(name, {}))
