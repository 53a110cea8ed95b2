"""Which story an article tells."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update

from data.models import Article, Story
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

    def merge_stories(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Move every article of each (loser, keeper) pair into the keeper. The loser remembers where it went."""
        if not pairs:
            return
        with self.transaction() as connection:
            for loser, keeper in pairs:
                members = connection.execute(select(ARTICLES.c.id).where(ARTICLES.c.story_id == loser)).scalars().all()
                rev = bump(connection, "article", len(members)) if members else 0
                for number, member in enumerate(members):
                    change = update(ARTICLES).where(ARTICLES.c.id == member)
                    connection.execute(change.values(story_id=keeper, rev=rev + number))
                gone = update(STORIES).where((STORIES.c.id == loser) | (STORIES.c.merged_into == loser))
                connection.execute(gone.values(merged_into=keeper))
