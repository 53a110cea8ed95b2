"""A for-you list as one writes it with numpy, scipy and scikit-learn: the same answer, no index and no compiled code.

What a service would hold between requests is held: the matrices of the window, and its columns. Nothing else is.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from benchmarks.newsroom import Newsroom
from recommender import signals
from recommender.profile import _WEIGHTS as KIND_WEIGHTS
from recommender.profile import HALF_LIFE_H, SOURCE_PRIOR
from recommender.ranking import SCORE_STEP, Options
from recommender.signals import HOUR_US, SIGNALS
from recommender.snapshot import WEIGHTS, ReaderView
from recommender.why import CLOSE, Facts, Near, sentence

WORDS, LATENT = 0.55, 0.45
LIMIT = 20


@dataclass
class Plain:
    """Lists over one newsroom's window."""

    room: Newsroom

    def __post_init__(self) -> None:
        room, index = self.room, self.room.snapshot.index
        self.at_us, self.columns, self.words, self.latent = room.now_us, index.columns, room.words, room.latent
        self.rows = index.window(room.now_us - int(room.window_h * HOUR_US), room.now_us)
        self.window_words, self.window_latent = self.words[self.rows], self.latent[self.rows]
        self.mine = self.columns.take(self.rows)
        self.topics = index.topics
        self.categories = len(index.categories)

    @cached_property
    def trust(self) -> np.ndarray:
        """By source."""
        sources = self.room.snapshot.sources
        return np.array([sources[one].trust if one in sources else 0.5 for one in range(len(sources) + 1)])

    def answer(self, reader: ReaderView) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Ids of the twenty, every candidate's score by row of the window, and the sentences."""
        allowed = np.flatnonzero(self._allowed(reader))
        read, weights = self._read(reader)
        profile = sparse.csr_matrix(weights[None, :] @ self.words[read])
        direction = weights[None, :] @ self.latent[read]
        cosine = WORDS * cosine_similarity(profile, self.window_words, dense_output=True).ravel()
        cosine = cosine + LATENT * cosine_similarity(direction, self.window_latent).ravel()
        S = self._signals(reader, allowed, read, weights, cosine[allowed])
        total = S @ signals.weight_vector(WEIGHTS["for_you"])
        order = np.lexsort((self.mine.id[allowed], -self.mine.published_at_us[allowed], -np.round(total / SCORE_STEP)))
        pool = order[: Options().pool]
        chosen = pool[self._diverse(allowed[pool], total[pool])]
        scores = np.full(len(self.rows), np.nan)
        scores[allowed] = total
        return self.mine.id[allowed[chosen]], scores, self._sentences(reader, allowed[chosen], S[chosen], read)

    def _allowed(self, reader: ReaderView) -> np.ndarray:
        mine, history, shown = self.mine, reader.history, reader.impressions
        stories = self.columns.story_id[history.article_id - 1]
        ids, counts = np.unique(shown.article_id, return_counts=True)
        out = mine.retracted | (mine.embargo_until_us > self.at_us)
        out |= np.isin(mine.source_id, reader.choices.muted_sources)
        out |= np.isin(mine.story_id, reader.choices.muted_stories)
        out |= np.isin(mine.id, history.article_id)
        out |= np.isin(mine.story_id, stories)
        out |= np.isin(mine.id, ids[counts >= Options().seen_cap])
        return ~out

    def _read(self, reader: ReaderView) -> tuple[np.ndarray, np.ndarray]:
        history = reader.history
        weights = KIND_WEIGHTS[history.kind] * 0.5 ** ((self.at_us - history.at_us) / (HALF_LIFE_H * HOUR_US))
        order = np.argsort(history.article_id)
        return history.article_id[order] - 1, weights[order].astype(np.float32)

    def _signals(
        self, reader: ReaderView, allowed: np.ndarray, read: np.ndarray, weights: np.ndarray, cosine: np.ndarray
    ) -> np.ndarray:
        mine, snapshot = self.mine, self.room.snapshot
        published, category, source = mine.published_at_us[allowed], mine.category[allowed], mine.source_id[allowed]
        evidence = weights.sum()
        shares = np.bincount(self.columns.category[read], weights, self.categories) / evidence
        topic = shares[category] / shares.max()
        for name in reader.choices.followed_topics:
            topic[np.isin(self.rows[allowed], self.topics[name])] = 1.0
        by_source = np.bincount(self.columns.source_id[read], weights, len(self.trust))
        liking = (by_source[source] + SOURCE_PRIOR / 2) / (by_source.max() + SOURCE_PRIOR)
        sizes = snapshot.index.story_sources(self.rows[allowed], self.at_us)
        return signals.matrix(
            {
                "similarity": signals.similarity(cosine, topic, evidence),
                "freshness": signals.freshness(published, mine.lifetime[allowed], self.at_us),
                "news_value": signals.news_value(mine.news_value[allowed]),
                "popularity": snapshot.popularity.signal(mine.id[allowed], published, self.at_us),
                "story_size": signals.story_size(sizes),
                "source": signals.source(self.trust[source], liking),
                "breadth": signals.breadth(shares[category]),
            }
        )

    def _diverse(self, pool: np.ndarray, value: np.ndarray) -> list[int]:
        """MMR by loops: places in the pool."""
        options = Options()
        gram = WORDS * cosine_similarity(self.window_words[pool], dense_output=True)
        gram = gram + LATENT * cosine_similarity(self.window_latent[pool])
        cost = options.diversity * signals.closeness(gram)
        story, source = self.mine.story_id[pool].tolist(), self.mine.source_id[pool].tolist()
        values, chosen, left = value.tolist(), list[int](), list(range(len(pool)))
        while left and len(chosen) < LIMIT:
            recent = chosen[-(options.span - 1) :]
            told, placed = [story[one] for one in recent], [source[one] for one in recent]
            free = [one for one in left if not story[one] or told.count(story[one]) < options.story_cap]
            spread = [one for one in free if placed.count(source[one]) < options.source_cap]
            best, best_value = -1, -np.inf
            for one in spread or free:
                penalty = 0.0
                for other in chosen:
                    penalty = max(penalty, cost[other, one])
                step = round((values[one] - penalty) / SCORE_STEP)
                if step > best_value:
                    best, best_value = one, step
            if best < 0:
                break
            chosen.append(best)
            left = [one for one in left if one != best and gram[best, one] < options.same]
        return chosen

    def _sentences(self, reader: ReaderView, places: np.ndarray, S: np.ndarray, read: np.ndarray) -> list[str]:
        near = WORDS * cosine_similarity(self.window_words[places], self.words[read], dense_output=True)
        near = near + LATENT * cosine_similarity(self.window_latent[places], self.latent[read])
        found = []
        for place, cosine, values in zip(places, near, S, strict=True):
            order = np.argsort(-cosine, kind="stable")
            order = order[cosine[order] >= CLOSE]
            rows = read[order]
            last_h = None
            if len(rows):
                last = reader.history.at_us[reader.history.article_id == rows[0] + 1].max()
                last_h = float(self.at_us - last) / HOUR_US
            named = dict(zip(SIGNALS, map(float, values), strict=True))
            topics = [one for one in reader.choices.followed_topics if self.rows[place] in self.topics[one]]
            found.append(
                sentence(
                    Facts(
                        near=Near(rows, cosine[order]),
                        age_h=float(self.at_us - self.mine.published_at_us[place]) / HOUR_US,
                        sources=round(1.0 - 2.0 * float(np.log2(max(1.0 - named["story_size"], 1e-6)))),
                        values=[named[one] for one in SIGNALS],
                        weights=WEIGHTS["for_you"],
                        topic=topics[0] if topics else None,
                        last_read_h=last_h,
                    )
                )
            )
        return found
