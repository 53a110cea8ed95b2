"""The candidates of one plan: what may be pushed, what it is worth to everybody, what a reader's taste meets in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.columns import fold_name
from recommender.index import ArticleIndex, Rows
from recommender.push import Candidates, Policy
from recommender.rules import Judge, in_effect, placement
from recommender.snapshot import Snapshot, shared_signals, trust
from recommender.vectors import Vectors

COMMON_TERMS = 65_536
SAMPLED = 4_096  # articles that tell which terms are common
USUAL_VALUE = 2  # where nobody judged: between the desk's "minor" and "fair"


@dataclass(frozen=True)
class Pool:
    """The candidates of one plan, newest first: the same for every block of readers, on every machine."""

    rows: Rows  # (m,) their rows in the snapshot's index
    candidates: Candidates
    shared: Mapping[str, FloatArray]  # (m,) each: the signals on which readers agree
    adjust: FloatArray  # (m,) boosts and buries
    trust: FloatArray  # (m,) in the outlet
    category: NDArray[np.int32]  # (m,)
    source_id: IntArray  # (m,) 0: none
    vectors: Vectors  # m of them
    common: IntArray  # columns of words, the commonest in the archive first
    blank_category: int  # the number of "", -1 if no article is without
    languages: tuple[str, ...]  # by number
    categories: int  # how many there are
    sources: int  # above the highest number of one
    renewed: Mapping[int, int] = field(default_factory=dict)  # story -> its last material update, microseconds

    def __len__(self) -> int:
        return len(self.rows)


def pool(
    snapshot: Snapshot,
    *,
    at_us: int,
    from_us: int,
    window_us: int,
    policy: Policy,
    update_nos: Mapping[int, int],
    renewed: Mapping[int, int] | None = None,
) -> Pool:
    """The newsworthy articles published in [from, at], one a story and language, that nothing forbids to push.

    Of a story's articles the one with the highest news value leads, then the most trusted outlet's, then the newest.
    Pins and must-shows say where in a list; of an alert they say nothing, so only boosts and buries count.
    """
    index = snapshot.index
    rules = in_effect(snapshot.rules.get("push", ()), at_us)
    rows = index.window(from_us, at_us)
    rows = rows[Judge(index, rows, at_us).publication(rules).judged().allowed]
    value = index.columns.news_value[rows]
    rows = _leads(snapshot, rows[(value == 0) | (value >= policy.min_news_value)])
    shared = shared_signals(snapshot, rows, at_us, snapshot.options_of("push"))
    weights = snapshot.weights_of("push")
    worth = sum((weights.get(name, 0.0) * values for name, values in shared.items()), np.zeros(len(rows), np.float32))
    keep = np.sort(np.argsort(-worth, kind="stable")[: policy.max_candidates])
    adjust = placement(index, rows, rules, worth).adjust
    rows = rows[keep]
    candidates = _candidates(snapshot, rows, window_us, update_nos)
    known = set(candidates.story_id.tolist())
    return Pool(
        rows=rows,
        candidates=candidates,
        renewed={story: at_us for story, at_us in (renewed or {}).items() if story in known},
        shared={name: values[keep] for name, values in shared.items()},
        adjust=adjust[keep],
        trust=trust(snapshot, rows),
        category=index.columns.category[rows],
        source_id=index.columns.source_id[rows],
        vectors=index.vectors(rows),
        common=common_terms(index),
        blank_category=index.categories.find(""),
        languages=tuple(index.languages.name(number) for number in range(len(index.languages))),
        categories=len(index.categories),
        sources=int(index.columns.source_id.max(initial=0)) + 1,
    )


def stories_of(index: ArticleIndex, article_ids: IntArray) -> IntArray:
    """The story of each article: minus its own id where it has none or the index does not hold it."""
    rows = index.rows_of(article_ids)
    if not len(index.columns):
        return -article_ids
    story = np.where(rows >= 0, index.columns.story_id[rows], 0)
    return np.asarray(np.where(story != 0, story, -article_ids))


def common_terms(index: ArticleIndex) -> IntArray:
    """Columns of words by how many of some thousand articles hold them, most first; columns none holds are absent."""
    rows = np.flatnonzero(index.alive)
    rows = rows[np.linspace(0, len(rows) - 1, min(SAMPLED, len(rows))).astype(np.int64)]
    words = index.vectors(rows).words
    held = np.bincount(words.indices, minlength=words.shape[1])
    common = np.argsort(-held, kind="stable")[:COMMON_TERMS]
    return common[held[common] > 0].astype(np.int64)


def _leads(snapshot: Snapshot, rows: Rows) -> Rows:
    columns = snapshot.index.columns
    value = np.where(columns.news_value[rows] == 0, USUAL_VALUE, columns.news_value[rows])
    published = columns.published_at_us[rows]
    order = np.lexsort((columns.id[rows], -published, -trust(snapshot, rows), -value))
    story = stories_of(snapshot.index, columns.id[rows])
    group = np.stack([story, columns.language[rows]], axis=1)[order]
    _, first = np.unique(group, axis=0, return_index=True)
    leads = rows[order[first]]
    return leads[np.lexsort((columns.id[leads], -columns.published_at_us[leads]))]


def _candidates(snapshot: Snapshot, rows: Rows, window_us: int, update_nos: Mapping[int, int]) -> Candidates:
    index, columns = snapshot.index, snapshot.index.columns
    story = stories_of(index, columns.id[rows])
    sources = [snapshot.sources.get(int(one)) for one in columns.source_id[rows]]
    return Candidates(
        article_id=columns.id[rows],
        story_id=story,
        update_no=np.array([update_nos.get(int(one), 0) for one in story], np.int64),
        published_at_us=columns.published_at_us[rows],
        language=columns.language[rows].astype(np.intp),
        source_key=tuple(one.key if one else "" for one in sources),
        topics=_topics(index, rows),
        window_us=window_us,
    )


def _topics(index: ArticleIndex, rows: Rows) -> tuple[frozenset[str], ...]:
    place = {int(row): i for i, row in enumerate(rows)}
    found = [{fold_name(index.categories.name(int(one)))} for one in index.columns.category[rows]]
    for topic, members in index.topics.items():
        for row in members[np.isin(members, rows)].tolist():
            found[place[row]].add(topic)
    return tuple(frozenset(one - {""}) for one in found)
