"""A plan's work on one block of readers, as a pure function that may run on another machine."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from data.values import IntArray
from recommender import push
from recommender.index import ArticleIndex, Rows
from recommender.push import Block, Choice, Verdicts
from recommender.push_choice import Chooser
from recommender.push_desk import DeskChoice
from recommender.push_follow import FollowerChoice
from recommender.push_policy import Policy
from recommender.push_pool import Pool
from recommender.push_reads import Archive, Facts, IndexArchive
from recommender.vectors import Vectors

_here = threading.local()


@dataclass(frozen=True)
class PackedArchive:
    """The living articles of an index as arrays alone, to be sent elsewhere: about 4 kB an article."""

    id: IntArray  # ascending
    all_facts: Facts
    all_vectors: Vectors

    @classmethod
    def of(cls, index: ArticleIndex) -> "PackedArchive":
        """Every living article."""
        rows = np.flatnonzero(index.alive)
        rows = rows[np.argsort(index.columns.id[rows], kind="stable")]
        archive = IndexArchive(index)
        vectors = archive.vectors(rows)
        pieces = sparse.csr_matrix((len(rows), vectors.pieces.shape[1]), dtype=np.float32)  # of no use to a profile
        return cls(index.columns.id[rows], archive.facts(rows), replace(vectors, pieces=pieces))

    def rows_of(self, ids: IntArray) -> Rows:
        """The row of each id, -1 where there is none."""
        place = np.searchsorted(self.id, ids)
        return np.where(np.append(self.id, -1)[place] == ids, place, -1)

    def vectors(self, rows: Rows) -> Vectors:
        """Their vectors."""
        return self.all_vectors.rows(rows)

    def facts(self, rows: Rows) -> Facts:
        """Their facts."""
        every = self.all_facts
        return Facts(every.category[rows], every.source_id[rows], every.story_id[rows], every.language[rows])


@dataclass(frozen=True)
class Brief:
    """What every block of one plan is judged by. `name` is its own: a worker keeps what it learned under it."""

    archive: Archive
    pool: Pool
    weights: Mapping[str, float]
    at_us: int
    policy: Policy
    bar: float
    name: str
    kind: str = "digest"  # of the campaign
    desk: DeskChoice | None = None  # the article that a person chose


def choice_of(brief: Brief) -> Choice:
    """How the best candidate is found: the one a person chose, what followers wait for, or by taste."""
    if brief.desk is not None:
        return brief.desk
    if brief.kind == "follow_up":
        return FollowerChoice(brief.archive, brief.pool, brief.weights)
    return Chooser(brief.archive, brief.pool, brief.weights, brief.at_us)


def judge(brief: Brief, block: Block) -> Verdicts:
    """How the readers of a block end. The articles met stay with the thread until it works on another plan."""
    name, chooser = getattr(_here, "kept", ("", None))
    if name != brief.name or chooser is None:
        chooser = choice_of(brief)
        _here.kept = brief.name, chooser
    return push.plan(block, chooser, policy=brief.policy, bar=brief.bar)


def forget() -> None:
    """Let go of what this thread kept."""
    _here.kept = "", None
