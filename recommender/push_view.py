"""From a snapshot to what `push.plan` judges: the candidates, the readers of a block, their signals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.alerts import Told
from data.values import FloatArray, Histories, IntArray, ReaderRow
from recommender import push
from recommender.columns import base, fold_name
from recommender.index import ArticleIndex, Rows
from recommender.profile import Profiles
from recommender.push import Block, Candidates, Mask, Policy
from recommender.rules import Choices, Judge, in_effect, placement
from recommender.snapshot import Snapshot, reader_signals, shared_signals, trust

USUAL_VALUE = 2  # where nobody judged: between the desk's "minor" and "fair"


@dataclass(frozen=True)
class Pool:
    """The candidates of one plan: the same for every block of readers."""

    rows: Rows  # (m,) their rows in the snapshot's index, newest first
    candidates: Candidates
    shared: Mapping[str, FloatArray]  # (m,) each
    adjust: FloatArray  # (m,) boosts and buries


def pool(
    snapshot: Snapshot, *, at_us: int, from_us: int, window_us: int, policy: Policy, update_nos: Mapping[int, int]
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
    return Pool(
        rows,
        _candidates(snapshot, rows, window_us, update_nos),
        {name: values[keep] for name, values in shared.items()},
        adjust[keep],
    )


def block(
    snapshot: Snapshot,
    readers: Sequence[ReaderRow],
    *,
    send_at_us: IntArray,
    has_device: Mask,
    histories: Histories,
    told: Told,
) -> Block:
    """The readers as `push.plan` judges them; `histories` in the readers' order."""
    index = snapshot.index
    rows = index.rows_of(histories.article_id)
    language = np.where(rows >= 0, index.columns.language[rows], -1) if len(index.columns) else np.full(len(rows), -1)
    known = push.languages_read(readers, histories, language, lambda name: index.languages.find(base(name)))
    missing = len(index.languages) - known.shape[1]
    return Block(
        readers=readers,
        send_at_us=send_at_us,
        has_device=has_device,
        languages=np.pad(known, ((0, 0), (0, max(missing, 0)))),
        histories=histories,
        history_story=stories_of(index, histories.article_id),
        told=told,
    )


def signals_of(snapshot: Snapshot, found: Pool, readers: Block, at_us: int) -> push.SignalsOf:
    """The signals of some rows of the block, for `push.plan`: (m,) where readers agree, else (rows x m)."""

    def of(rows: Rows) -> Mapping[str, FloatArray]:
        histories = _taken(readers.histories, rows)
        profiles = Profiles.build(snapshot.index, histories, at_us)
        choices = [_choices(readers.readers[row]) for row in rows]
        return {**found.shared, **reader_signals(snapshot, found.rows, profiles, choices)}

    return of


def stories_of(index: ArticleIndex, article_ids: IntArray) -> IntArray:
    """The story of each article: minus its own id where it has none or the index does not hold it."""
    rows = index.rows_of(article_ids)
    if not len(index.columns):
        return -article_ids
    story = np.where(rows >= 0, index.columns.story_id[rows], 0)
    return np.asarray(np.where(story != 0, story, -article_ids))


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


def _choices(reader: ReaderRow) -> Choices:
    stories = tuple(int(one) for one in reader.followed_stories if one.isdecimal())
    return Choices(followed_topics=reader.followed_topics, followed_stories=stories)


def _taken(histories: Histories, rows: Rows) -> Histories:
    """The histories of some readers alone."""
    lengths = np.diff(histories.indptr)[rows]
    starts = histories.indptr[:-1][rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
    arrays = (histories.article_id, histories.at_us, histories.kind, histories.dwell_s)
    article_id, at_us, kind, dwell_s = (values[places] for values in arrays)
    return Histories(histories.reader_id[rows], indptr, article_id, at_us, kind, dwell_s)
