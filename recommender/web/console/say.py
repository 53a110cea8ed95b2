"""The console's words: what signals mean, what happened, what a change was."""

from collections.abc import Mapping
from typing import Any

from data.store.audit import ChangeRow
from recommender.interest import name_of

TELLING = ("kind", "target_key", "title", "role", "name")  # fields that say what something new is
FEW = 3  # differences told in a line
LABELS = {
    "for_you": "For you",
    "related": "Related",
    "push": "Push",
    "all": "Everywhere",
    "similarity": "Similarity",
    "interest": "Interest",
    "freshness": "Freshness",
    "news_value": "News value",
    "popularity": "Popularity",
    "story_size": "Story size",
    "source": "Source",
    "breadth": "Breadth",
    "diversity": "Diversity",
    "source_cap": "Source cap",
    "must_show": "Must show",
    "OPTED_OUT": "opted out",
}
MEANINGS = {
    "similarity": "How close it is to what the reader has read.",
    "interest": "How likely the click model thinks a click is.",
    "freshness": "How new it is; halves by lifetime.",
    "news_value": "What the desk says it is worth, 1 to 5.",
    "popularity": "How often it is read, against the usual.",
    "story_size": "How many independent sources tell the story.",
    "source": "Trust in the outlet times the reader's liking for it.",
    "breadth": "How far it is from what the reader usually reads.",
    "diversity": "How much likeness to a better placed article costs.",
    "source_cap": "Most articles of one source in any ten places.",
}
SAID = {
    "draft": "Draft saved. Readers still see the live weights.",
    "discarded": "Draft discarded.",
    "taken": "The draft is yours now too; its author keeps theirs.",
    "rebased": "Your draft now builds on the live version.",
    "published": "Published. Readers see it from their next list on.",
    "scheduled": "Scheduled. Until then readers see the live weights.",
    "restored": "Restored as a new version.",
    "rule": "Rule added.",
    "ended": "Rule ended.",
    "extended": "Rule extended.",
    "judged": "Saved. Every list follows within seconds.",
    "split": "Split. The articles are a story of their own, and stay one.",
    "merged": "Merged into one story.",
    "aimed": "Reach target set. Exposure rises within a minute, no further than needed.",
    "unaimed": "Reach target stopped. Lists are as they were without it.",
    "replay-stopped": "Replay stopped.",
    "experiment": "Started. Its readers see it from their next list on.",
    "experiment-stopped": "Stopped. Its readers get the live version again.",
    "paused": "Push is paused. What is being sent at this moment still arrives.",
    "resumed": "Push is on again.",
    "persona": "Persona saved.",
    "removed": "Persona removed.",
    "alert": "Saved as a draft. Nothing is sent.",
    "asked": "Waiting for somebody else to approve it.",
    "held": "On hold. Cancel until the hold is over leaves no trace on any phone.",
    "approved": "Approved. It leaves when its hold is over.",
    "cancelled": "Cancelled. What had not left will not leave.",
    "test": "Test on its way to that one device.",
    "policy": "Policy saved; the next plan obeys it.",
    "draft-limits": "Draft saved. The live limits hold.",
    "policy-replay": "Draft saved. The scheduler replays yesterday under it.",
    "person": "Role changed, from their next request on.",
    "signed-out": "Signed out.",
}


def label(name: str) -> str:
    """A name of the code as a page says it."""
    return LABELS.get(name) or name.replace("_", " ").lower().capitalize()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What changed, in words: "Freshness 0.22 → 0.30"."""
    names = list(dict.fromkeys([*before, *after]))
    pairs = [(name, *_named(name, before, after)) for name in names if name != "version"]
    return [f"{label(name)} {_value(old)} → {_value(new)}" for name, old, new in pairs if not _same(old, new)]


def _named(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Any, Any]:
    """Both values; those of a click model by its name."""
    old, new = before.get(name), after.get(name)
    if name == "interest_model":
        return (name_of(old) if old else None), (name_of(new) if new else None)
    return old, new


def change_words(change: ChangeRow) -> str:
    """An entry of the audit log in words, without who and when."""
    target = LABELS.get(change.target, change.target)
    version = (change.after or {}).get("version")
    about = f"{change.what} {target}" + (f" {version}" if version is not None else "")
    before = {name: value for name, value in (change.before or {}).items() if name != "version"}
    found = differences(before, change.after or {}) if before else []
    more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
    if not found and not before:
        found = [str(change.after[name]) for name in TELLING if change.after and change.after.get(name)]
    return f"{about}: {', '.join(found[:FEW])}{more}" if found else about


def difference_words(measure: Mapping[str, Any]) -> str:
    """Tried less live with its interval: "+2.1 points (+0.3 to +3.9)", or that it may be chance."""
    value, low, high = measure["difference"]
    if value == low == high == 0:
        return "the same"
    scale, unit, digits = {"share": (100, " points", 1), "hours": (1, " h", 1)}.get(measure["unit"], (1, "", 3))
    digits = 0 if not unit and max(abs(low), abs(high)) >= 5 else digits
    words = [f"{scale * one:+.{digits}f}" for one in (value, low, high)]
    chance = "" if low > 0 or high < 0 else "; this may be chance"
    return f"{words[0]}{unit} ({words[1]} to {words[2]}){chance}"


def strength_words(strength: float) -> str:
    """A boost in words."""
    return "a little" if strength <= 0.08 else "some" if strength <= 0.18 else "a lot"


def _same(old: Any, new: Any) -> bool:
    return bool(old == new)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if round(value, 2) != round(value, 4) else f"{value:.2f}"
    text = value if isinstance(value, str) else str(value)
    return text[:16].replace("T", " ") if len(text) > 18 and text[4:5] == "-" else text
