"""Which story an article tells."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from data.models import Article, Story
from data.store.apart import carry_over, pairs_apart
from data.store.database import Database, bump, chunks, table
from data.values import StoryAssignments

ARTICLES, STORIES = table(Article), table(Story)


class Stories(Database):
    """Story membership; a story's id is the id of its founding article."""

    def assign_stories(self, pairs: StoryAssignments, *, now: datetime) -> dict[int, int]:
        """Give each article its story unless it has one; returns the story each article is in now.

        The first writer wins, so processes that decide at the same time agree afterwards.
        """
        if not pairs:
            return {}
        wanted = dict(pairs)
        with self.transaction() as connection:
            rev = bump(connection, "article", len(wanted))
            made = self.insert(Story).on_conflict_do_nothing()
            founders = sorted(set(wanted.values()))
            connection.execute(made, [{"id": one, "founded_at": now, "update_no": 0} for one in founders])
            change = (
                update(ARTICLES)
                .where(ARTICLES.c.id == bindparam("of_id"), ARTICLES.c.story_id.is_(None))
                .values(story_id=bindparam("to_story"), rev=bindparam("to_rev"))
            )
            rows = [{"of_id": a, "to_story": s, "to_rev": rev + i} for i, (a, s) in enumerate(wanted.items())]
            connection.execute(change, rows)
            found: dict[int, int] = {}
            for part in chunks(list(wanted)):
                query = select(ARTICLES.c.id, ARTICLES.c.story_id).where(ARTICLES.c.id.in_(part))
                found.update((row.id, row.story_id) for row in connection.execute(query))
            return found

    def merge_stories(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Move every article of each (loser, keeper) pair into the keeper. The loser remembers where it went.

        Pairs that the desk took apart stay as they are. Returns the pairs that were merged.
        """
        if not pairs:
            return []
        done = []
        with self.transaction() as connection:
            for loser, keeper in pairs:
                if (min(loser, keeper), max(loser, keeper)) not in pairs_apart(connection):
                    self._merge(connection, loser, keeper)
                    done.append((loser, keeper))
        return done

    def merged_into(self, story_ids: Sequence[int]) -> dict[int, int]:
        """Story -> the story it was merged into, for those of these that were."""
        found: dict[int, int] = {}
        with self.reading() as connection:
            for part in chunks(list(story_ids)):
                query = select(STORIES.c.id, STORIES.c.merged_into).where(STORIES.c.id.in_(part))
                rows = connection.execute(query.where(STORIES.c.merged_into.is_not(None)))
                found.update((row.id, row.merged_into) for row in rows)
        return found

    def _merge(self, connection: Connection, loser: int, keeper: int) -> None:
        members = connection.execute(select(ARTICLES.c.id).where(ARTICLES.c.story_id == loser)).scalars().all()
        rev = bump(connection, "article", len(members)) if members else 0
        for number, member in enumerate(members):
            change = update(ARTICLES).where(ARTICLES.c.id == member)
            connection.execute(change.values(story_id=keeper, rev=rev + number))
        gone = update(STORIES).where((STORIES.c.id == loser) | (STORIES.c.merged_into == loser))
        connection.execute(gone.values(merged_into=keeper))
        carry_over(connection, self.insert, loser, keeper)
