"""The click model in the console: what it knows is told beside the draft that names it; an editor publishes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender import interest_files
from recommender.interest import NAMES, Interest, name_of

TOLD = {
    "gain": {"freshness": 0.7, "the desk": 0.3},
    "lists": 1234,
    "from_us": 1_770_000_000_000_000,
    "until_us": 1_772_000_000_000_000,
    "ndcg_10": {"learned": [0.61, 0.6, 0.62], "live": [0.55, 0.54, 0.56]},
}


@pytest.fixture
def drafted(room: Any, tmp_path: Path) -> int:
    """A draft by `newsbell learn` that names a model; where models are kept."""
    room.folder = tmp_path / "models"
    room.service._follower.models.folder = room.folder
    tree = np.array([[NAMES.index("freshness")]], np.int32)
    edge, value = np.array([[0.5]], np.float32), np.array([[-1.0, 1.0]], np.float32)
    room.model = Interest(tree, edge, value, 1.0, -2.0, 0.1, TOLD)
    number = interest_files.save(room.folder, room.model)
    room.service.refresh()
    live = room.store.live_weights("for_you")
    room.store.save_draft(
        "for_you", "newsbell learn", base_version=live.version, weights={**live.weights, "interest": 0.2},
        options={**live.options, "interest_model": float(number)}, now=room.now,
    )  # fmt: skip
    return number


def test_an_editor_takes_the_draft_sees_the_gain_and_publishes(room: Any, drafted: int) -> None:
    lead = room.client("lead")
    assert "newsbell learn has a draft" in lead.get("/console/ranking/for_you").text
    lead.post("/console/ranking/for_you/take", data={"author": "newsbell learn"})
    page = lead.get("/console/ranking/for_you").text
    assert "Learned from 1" in page
    assert 'Freshness</th><td class="n">70' in page
    assert "0.610" in page
    assert f"Interest model none → {name_of(drafted)}" in lead.get("/console/ranking/for_you/publish").text
    lead.post("/console/ranking/for_you/publish", data={"reason": "it knows more"})
    live = room.store.live_weights("for_you")
    assert (live.weights["interest"], int(live.options["interest_model"])) == (0.2, drafted)
    assert room.service.snapshot.weights_of("for_you")["interest"] == 0.2
    assert room.service.snapshot.interest_of("for_you") is not None


def test_a_model_that_is_not_here_is_said(room: Any, drafted: int) -> None:
    (room.folder / name_of(drafted)).rename(room.folder.parent / "away")
    room.service.refresh()
    editor = room.client("editor")
    editor.post("/console/ranking/for_you/take", data={"author": "newsbell learn"})
    page = editor.get("/console/ranking/for_you")
    assert page.status_code == 200
    assert f"The model {name_of(drafted)} is not here" in page.text


def test_nothing_is_said_where_interest_weighs_nothing(room: Any) -> None:
    assert "click model behind" not in room.client("editor").get("/console/ranking/for_you").text
