"""A plan for everybody: 1,000 candidates, readers of 40 reads, every check included, beside what numpy users write."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from benchmarks.measure import Contender, compare, timed
from benchmarks.news import News, generate
from benchmarks.report import Report
from data.alerts import Tally, Told
from data.values import FloatArray, Histories, ReaderColumns
from data.wire import EVENT_KINDS
from recommender import push, signals
from recommender.push import Block, Candidates, Policy, Verdict, Verdicts
from recommender.push_choice import Chooser
from recommender.push_pool import COMMON_TERMS, Pool
from recommender.push_reads import Facts
from recommender.snapshot import WEIGHTS
from recommender.subject import SUBJECT
from recommender.vectors import Vectors

READS, CANDIDATES, ARCHIVE, RANK, TOP = 40, 1_000, 20_000, 400, 10
BLOCKS = 10  # of readers, in the longest plan
SKLEARN = "sklearn cosine_similarity(H @ X, candidates) + argpartition"
HOUR_US = 3_600_000_000
PEER_READERS, CHECKED, CATEGORIES = 500, 300, 13
POLICY = Policy()
WORTH = WEIGHTS["push"]


@dataclass(frozen=True)
class Newsroom:
    """Generated news: the archive readers have read, then the candidates. `D` (articles x RANK) or None."""

    news: News
    D: FloatArray | None

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        return np.where((ids >= 1) & (ids <= len(self.news)), ids - 1, -1)

    def vectors(self, rows: NDArray[np.intp]) -> Vectors:
        none = sparse.csr_matrix((len(rows), 1), dtype=np.float32)
        return Vectors(self.news.words[rows], none, None if self.D is None else self.D[rows])

    def facts(self, rows: NDArray[np.intp]) -> Facts:
        news = self.news
        language = np.zeros(len(rows), np.int32)
        category = (news.theme[rows] % CATEGORIES).astype(np.int32)
        return Facts(category, news.source[rows] + 1, news.story[rows] + 1, language)


def run(options: argparse.Namespace) -> Iterator[Report]:
    """Words alone, as the generator writes them and the peers compare them; and with 400 latent directions too."""
    sizes = (2_000, 2_000) if options.quick else (100_000, 20_000)
    news = generate(ARCHIVE + CANDIDATES, options.seed)
    for name, has_directions in (("plan_words", False), ("plan_words_and_directions", True)):
        newsroom = Newsroom(news, _directions(news, options.seed) if has_directions else None)
        yield measure(name, newsroom, sizes, options)


def measure(name: str, newsroom: Newsroom, sizes: tuple[int, int], options: argparse.Namespace) -> Report:
    """One table."""
    pool = candidates(newsroom, options.seed)
    blocks = [readers(newsroom, sizes[0], options.seed + more) for more in range(BLOCKS)]
    block = blocks[0]
    warm = Chooser(newsroom, pool, WORTH, int(block.send_at_us[0]))
    found, first_s, _ = timed(lambda: push.plan(block, warm, policy=POLICY, bar=0.3))
    assert isinstance(found, Verdicts)
    lines = compare([*_ours(newsroom, pool, warm, blocks, sizes[1]), *_peers(newsroom, pool, block)])
    return Report(
        name,
        f"{CANDIDATES:,} candidates, {READS} reads each by Zipf's law over {ARCHIVE:,} articles; times a reader.",
        _facts(newsroom, blocks, lines)
        | {
            "first block, CPU seconds": first_s,
            "MB of cosines and vectors kept, whatever the number of readers": warm.bytes_held / 1e6,
            "bytes a reader while planned (choices, history, verdict)": _bytes(block, found) / len(block),
        }
        | _endings(found),
        lines,
        checks=[_check(newsroom, pool, block, found)],
        caveats=[
            "The peers only score; ours judges caps, gaps, quiet hours, languages, mutes, what was read and told too.",
            "The latent directions are random projections of the words: their cost is real, their meaning is not.",
        ],
        command=f"python -m benchmarks plan --seed {options.seed}",
    )


def _ours(newsroom: Newsroom, pool: Pool, warm: Chooser, blocks: list[Block], few: int) -> list[Contender]:
    fewer = _first(blocks[0], few)

    def anew(some: list[Block]) -> None:
        chooser = Chooser(newsroom, pool, WORTH, warm.at_us)
        for one in some:
            push.plan(one, chooser, policy=POLICY, bar=0.3)

    def plans(some: list[Block]) -> Contender:
        count = sum(map(len, some))
        return Contender(f"Newsbell, {count:,} readers, nothing known before", lambda _: anew(some), count, count)

    met = Contender("Newsbell, articles met before", lambda _: push.plan(fewer, warm, policy=POLICY, bar=0.3), few, few)
    return [plans(blocks), plans(blocks[:1]), plans([fewer]), met]


def _peers(newsroom: Newsroom, pool: Pool, block: Block) -> list[Contender]:
    S = (newsroom.news.words @ pool.vectors.words.T).toarray()
    return [
        Contender(SKLEARN, lambda _: _best(_cosines(newsroom, pool, block, PEER_READERS)), PEER_READERS, PEER_READERS),
        Contender(
            "H @ S dense + argpartition, S given, words alone, no verdicts",
            lambda _: _best(_reads(block, PEER_READERS, len(newsroom.news)) @ S),
            *(PEER_READERS, PEER_READERS),
        ),
    ]


def _facts(newsroom: Newsroom, blocks: list[Block], lines: list[dict[str, float | str | int]]) -> dict[str, float]:
    """How many readers the longest plan takes a CPU second, beside scikit-learn."""
    ours = float(lines[0]["cpu_ms_mean"])
    peer = next(float(line["cpu_ms_mean"]) for line in lines if line["name"] == SKLEARN)
    terms = (_reads(blocks[0], PEER_READERS, len(newsroom.news)) @ newsroom.news.words).nnz / PEER_READERS
    return {
        "readers": sum(map(len, blocks)),
        "readers a CPU second": 1_000 / ours,
        "readers a CPU second, sklearn": 1_000 / peer,
        "times the readers": peer / ours,
        "terms of a profile": terms,
    }


def _endings(found: Verdicts) -> dict[str, float]:
    """How many readers of the first block ended each way."""
    kinds, counts = np.unique(found.verdict, return_counts=True)
    return {f"ended {Verdict(kind).name}": many for kind, many in zip(kinds.tolist(), counts.tolist(), strict=True)}


def candidates(newsroom: Newsroom, seed: int) -> Pool:
    """The newest articles, newest first, over a day; desk values, popularity and story sizes as a newsroom has them."""
    rng, news = np.random.default_rng(seed), newsroom.news
    rows = np.arange(ARCHIVE, ARCHIVE + CANDIDATES)[::-1]
    facts = newsroom.facts(rows)
    age_h = np.linspace(0, 24, CANDIDATES)
    now_us = int(news.published_at_us.max())
    return Pool(
        rows=rows,
        candidates=Candidates(
            article_id=rows + 1,
            story_id=facts.story_id,
            update_no=np.zeros(CANDIDATES, np.int64),
            published_at_us=now_us - (age_h * HOUR_US).astype(np.int64),
            language=np.zeros(CANDIDATES, np.intp),
            source_key=tuple(f"s{one}" for one in facts.source_id),
            topics=tuple(frozenset([f"t{one}"]) for one in facts.category),
            window_us=25 * HOUR_US,
        ),
        shared={
            "freshness": (0.5 ** (age_h / 24)).astype(np.float32),
            "news_value": signals.news_value(rng.choice(6, CANDIDATES, p=[0.55, 0.03, 0.15, 0.17, 0.08, 0.02])),
            "popularity": rng.beta(2, 2, CANDIDATES).astype(np.float32),
            "story_size": signals.story_size(rng.choice([1, 2, 3, 5], CANDIDATES, p=[0.7, 0.15, 0.1, 0.05])),
        },
        adjust=np.zeros(CANDIDATES, np.float32),
        trust=rng.random(CANDIDATES).astype(np.float32),
        category=facts.category,
        source_id=facts.source_id,
        vectors=newsroom.vectors(rows),
        common=_common(news),
        blank_category=-1,
        languages=("en",),
        categories=CATEGORIES,
        sources=int(news.source.max()) + 2,
    )


def readers(newsroom: Newsroom, count: int, seed: int) -> Block:
    """Readers with 40 different reads of the last two weeks; a few opted out, a few alerts today, some with mutes."""
    rng, now_us = np.random.default_rng(seed), int(newsroom.news.published_at_us.max())
    article = rng.permutation(ARCHIVE)[_zipf(rng, count)] + 1
    alerts = count // 2
    some = {int(row): ("t1", "t5") for row in np.flatnonzero(rng.random(count) < 0.15)}
    return Block(
        readers=ReaderColumns(
            id=np.arange(1, count + 1),
            key=[f"reader-{number}" for number in range(count)],
            zone=rng.integers(0, 6, count).astype(np.int32),
            zones=("UTC", "Europe/Prague", "Asia/Tokyo", "America/New_York", "Asia/Kolkata", "America/Lima"),
            language=np.zeros(count, np.int32),
            languages=("en",),
            push=rng.random(count) < 0.97,
            quiet_from_s=np.full(count, 0, np.int32),
            quiet_until_s=np.full(count, 1_800, np.int32),
            daily_cap=np.full(count, 4, np.int32),
            followed_topics=some,
            muted_topics={row: ("t2",) for row in some if row % 2},
        ),
        send_at_us=now_us + rng.integers(1, 600, count) * 1_000_000,
        has_device=rng.random(count) < 0.97,
        histories=Histories(
            reader_id=np.arange(1, count + 1),
            indptr=np.arange(count + 1) * READS,
            article_id=article.ravel(),
            at_us=now_us - rng.integers(0, 14 * 24 * 60, count * READS) * 60_000_000,
            kind=rng.choice([EVENT_KINDS.index("open"), EVENT_KINDS.index("read")], count * READS).astype(np.int8),
            dwell_s=np.full(count * READS, np.nan, np.float32),
        ),
        told=Told(
            row=rng.integers(0, count, alerts),
            at_us=now_us - rng.integers(3, 48, alerts) * HOUR_US,
            story_id=rng.integers(1, 10_000, alerts),
            update_no=np.zeros(alerts, np.int64),
            group=rng.integers(0, 3, alerts),
        ),
        tally=Tally(
            today=rng.integers(0, 2, count),
            other_days=rng.integers(0, 15, count),
            unopened=rng.integers(0, 11, count),
            newest_us=now_us - rng.integers(3, 240, count) * HOUR_US,
        ),
    )


def _zipf(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """READS different ranks below ARCHIVE for each reader, the r-th drawn in proportion to 1 / r."""
    ends = np.cumsum(1 / np.arange(1, ARCHIVE + 1))
    made = np.empty((count, READS), np.int64)
    for row in range(count):
        ranks: dict[int, None] = {}
        while len(ranks) < READS:
            ranks |= dict.fromkeys(np.searchsorted(ends, rng.random(4 * READS) * ends[-1]).tolist())
        made[row] = list(ranks)[:READS]
    return made


def _directions(news: News, seed: int) -> FloatArray:
    drawn = np.random.default_rng(seed).normal(size=(news.words.shape[1], RANK)).astype(np.float32)
    made = news.words @ drawn
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)


def _common(news: News) -> NDArray[np.int64]:
    held = np.bincount(news.words[:ARCHIVE:5].indices, minlength=news.words.shape[1])
    common = np.argsort(-held, kind="stable")[:COMMON_TERMS]
    return common[held[common] > 0].astype(np.int64)


def _first(block: Block, count: int) -> Block:
    rows, histories = np.arange(count), block.histories
    told, events = block.told, int(histories.indptr[count])
    mine = told.row < count
    return Block(
        block.readers.take(rows),
        block.send_at_us[:count],
        block.has_device[:count],
        Histories(
            histories.reader_id[:count],
            histories.indptr[: count + 1],
            *(one[:events] for one in (histories.article_id, histories.at_us, histories.kind, histories.dwell_s)),
        ),
        Told(*(getattr(told, name)[mine] for name in Told.__dataclass_fields__)),
        Tally(*(getattr(block.tally, name)[:count] for name in Tally.__dataclass_fields__)),
    )


def _reads(block: Block, count: int, articles: int) -> sparse.csr_matrix:
    """H (readers x articles): how much each read counts."""
    histories, events = block.histories, int(block.histories.indptr[count])
    age = (int(block.send_at_us.min()) - histories.at_us[:events]) / HOUR_US
    weight = np.where(histories.kind[:events] == EVENT_KINDS.index("read"), 0.7, 0.3) * 0.5 ** (age / 168)
    row = np.repeat(np.arange(count), READS)
    shape = (count, articles)
    return sparse.csr_matrix((weight.astype(np.float32), (row, histories.article_id[:events] - 1)), shape=shape)


def _cosines(newsroom: Newsroom, pool: Pool, block: Block, count: int) -> FloatArray:
    """Blended cosines (readers x candidates) as scikit-learn gives them."""
    H = _reads(block, count, len(newsroom.news))
    words = cosine_similarity(H @ newsroom.news.words, pool.vectors.words)
    if newsroom.D is None:
        return np.asarray(words, np.float32)
    directions = cosine_similarity(H @ newsroom.D, pool.vectors.dense)
    return np.asarray(SUBJECT.words * words + SUBJECT.dense * directions, np.float32)


def _best(scores: FloatArray) -> NDArray[np.intp]:
    return np.argpartition(-scores, TOP, axis=1)[:, :TOP]


def _check(newsroom: Newsroom, pool: Pool, block: Block, found: Verdicts) -> str:
    """Whether no candidate a reader may get has a higher score by brute force than the one chosen."""
    cosines = _cosines(newsroom, pool, block, CHECKED)
    H = _reads(block, CHECKED, len(newsroom.news))
    facts = newsroom.facts(np.arange(len(newsroom.news)))
    evidence = np.asarray(H.sum(axis=1))
    category = H @ np.eye(CATEGORIES, dtype=np.float32)[facts.category]
    source = H @ np.eye(pool.sources, dtype=np.float32)[facts.source_id]
    topic = category / category.max(axis=1, keepdims=True)
    for row in range(CHECKED):
        topic[row, [int(name[1:]) for name in block.readers.followed_topics.get(row, ())]] = 1.0
    affinity = (source[:, pool.source_id] + 1) / (source.max(axis=1, keepdims=True) + 2)
    total = WORTH["similarity"] * signals.similarity(cosines, topic[:, pool.category], evidence)
    total += WORTH["source"] * signals.source(pool.trust, affinity)
    total += sum(WORTH[name] * values for name, values in pool.shared.items())
    rows = np.flatnonzero(found.verdict[:CHECKED] == Verdict.SEND)
    for row in rows:
        story = facts.story_id[block.histories.article_id[row * READS : (row + 1) * READS] - 1]
        told = block.told.story_id[block.told.row == row]
        stays = np.isin(pool.candidates.story_id, np.append(story, told))
        stays |= np.isin(pool.category, [int(name[1:]) for name in block.readers.muted_topics.get(int(row), ())])
        best = total[row][~stays].max()
        if abs(total[row, found.chosen[row]] - best) > 1e-5 or stays[found.chosen[row]]:
            raise AssertionError(f"reader {row}: chose {total[row, found.chosen[row]]} where {best} is the best")
    return f"the chosen article is the best by brute force (cosine_similarity, all signals) of {len(rows)} readers"


def _bytes(block: Block, found: Verdicts) -> int:
    held = [block.send_at_us, block.has_device, found.verdict, found.chosen, found.score, found.parts]
    for one in (block.readers, block.histories, block.told):
        held += [value for name in one.__slots__ if isinstance(value := getattr(one, name), np.ndarray)]
    return sum(one.nbytes for one in held) + sum(49 + len(key) for key in block.readers.key)
