"""The sentence under a card: true, short, the strongest reasons first."""

from typing import Any

import numpy as np
import pytest

from recommender.signals import SIGNALS, story_size
from recommender.snapshot import WEIGHTS
from recommender.why import Facts, Near, parts_of, related_sentence, sentence, sources_of


def facts(**given: Any) -> Facts:
    reads = given.pop("reads", 0)
    named = dict.fromkeys(SIGNALS, 0.0) | given.pop("values", {})
    values = [named[one] for one in SIGNALS]
    near = Near(np.arange(reads), np.full(reads, 0.4, np.float32))
    return Facts(**{"near": near, "age_h": 2.2, "sources": 1, "values": values, "weights": WEIGHTS["for_you"]} | given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Two hours old."),
        ({"age_h": 0.2}, "Just published."),
        ({"age_h": 1.2}, "One hour old."),
        ({"age_h": 60}, "Two days old."),
        ({"age_h": 9_000}, "From the archive."),
        ({"reads": 2}, "Close to two things you read, and two hours old."),
        ({"reads": 1, "last_read_h": 20}, "Close to one thing you read yesterday, and two hours old."),
        ({"reads": 40}, "Close to many things you read, and two hours old."),
        ({"topic": "Science"}, "About Science, which you follow, and two hours old."),
        ({"values": {"story_size": 0.75}, "sources": 5}, "Reported by five outlets, and two hours old."),
        ({"held": "pin", "reads": 2}, "Placed here by the desk."),
        ({"held": "must_show"}, "The desk wants every reader to see it."),
    ],
)
def test_the_sentence_says_what_is_true(given: dict[str, Any], said: str) -> None:
    assert sentence(facts(**given)) == said


def test_the_strongest_reasons_of_the_newsroom_come_first() -> None:
    both = {"news_value": 1.0, "popularity": 0.7}
    assert sentence(facts(values=both)) == "Of high news value, read by many, and two hours old."
    louder = facts(values=both, weights={"news_value": 0.1, "popularity": 0.9})
    assert sentence(louder).startswith("Read by many, of high news value")
    silent = facts(values=both, weights={"news_value": 0.0, "popularity": 0.9})
    assert "news value" not in sentence(silent)


def test_a_related_card_never_pretends() -> None:
    assert related_sentence(0.4, 3, None, same_story=False).startswith("Closely about the same subject")
    assert related_sentence(0.25, 3, None, same_story=True).startswith("Another angle on the same story")
    for fallback in ("category", "latest"):
        assert related_sentence(0.9, 3, fallback, same_story=True).startswith("Not about the same subject")


def test_the_parts_are_value_times_weight() -> None:
    values = np.linspace(0, 1, 8, dtype=np.float32)
    made = parts_of(values, WEIGHTS["for_you"])
    assert [part.signal for part in made] == list(SIGNALS)
    assert all(part.adds == pytest.approx(part.value * part.weight) for part in made)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 20])
def test_the_number_of_outlets_comes_back_out_of_its_signal(count: int) -> None:
    assert sources_of(float(story_size([count])[0])) == count
