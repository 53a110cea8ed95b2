"""Stories mended by hand: what belongs together, what does not."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from data.clock import micros
from data.errors import InvalidInput
from data.models import Article, Story
from data.store.apart import allow, carry_over, keep_apart
from data.store.audit import note
from data.store.database import Database, bump, table

ARTICLES, STORIES = table(Article), table(Story)


class StoryDesk(Database):
    """Merging and splitting with an audit entry; the older number is kept, as in every merge."""

    def story_articles(self, story_id: int) -> list[int]:
        """Our numbers of a story's articles, oldest first."""
        query = select(ARTICLES.c.id).where(ARTICLES.c.story_id == story_id)
        with self.reading() as connection:
            return list(connection.execute(query.order_by(ARTICLES.c.published_at, ARTICLES.c.id)).scalars())

    def split_story(
        self, story_id: int, article_ids: Sequence[int], *, by: str, now: datetime, reason: str = ""
    ) -> int:
        """Take articles out of a story and make them one of their own; returns its number.

        The two stay apart until somebody joins them by hand: no automatic merge makes them one again.

        InvalidInput unless some, and not all, of the story's articles are named.
        """
        with self.transaction() as connection:
            members = _members(connection, story_id)
            wanted = [one for one in members if one in set(article_ids)]
            free = [one for one in wanted if one != story_id]
            if not free or len(wanted) == len(members):
                raise InvalidInput("choose some of the story's articles, not all and not only its first")
            made = self.insert(Story).values(id=free[0], founded_at=now, update_no=0)
            connection.execute(made.on_conflict_do_update(index_elements=["id"], set_={"merged_into": None}))
            _move(connection, wanted, free[0])
            keep_apart(connection, self.insert, story_id, free[0])
            after = {"articles": wanted, "story": free[0]}
            note(connection, by, "split", f"story {story_id}", after=after, why=reason, now=now)
            return free[0]

    def join_stories(self, one: int, other: int, *, by: str, now: datetime, reason: str = "") -> int:
        """Make two stories one, under the older number, which is returned. InvalidInput if either has no articles."""
        keeper, loser = sorted((one, other))
        with self.transaction() as connection:
            members = _members(connection, loser)
            if keeper == loser or not members or not _members(connection, keeper):
                raise InvalidInput(f"there are no two stories {one} and {other}; take the numbers from the story pages")
            _move(connection, members, keeper)
            gone = update(STORIES).where((STORIES.c.id == loser) | (STORIES.c.merged_into == loser))
            connection.execute(gone.values(merged_into=keeper))
            allow(connection, keeper, loser)
            carry_over(connection, self.insert, loser, keeper)
            after = {"articles": members, "story": keeper}
            note(connection, by, "merged", f"story {loser}", after=after, why=reason, now=now)
        return keeper

    def renew_story(self, story_id: int, *, by: str, now: datetime, reason: str = "") -> int:
        """A material update: whoever was told of the story, or read it, may be told again. Returns its update number.

        InvalidInput if no article is in it.
        """
        with self.transaction() as connection:
            if not _members(connection, story_id):
                raise InvalidInput(f"there is no story {story_id}; take the number from the story's page")
            number = renew(connection, story_id, now)
            note(connection, by, "updated", f"story {story_id}", after={"update": number}, why=reason, now=now)
        return number

    def renewals(self) -> dict[int, tuple[int, int]]:
        """Story -> (its number of material updates, when the last one was in microseconds), for those that had any."""
        query = select(STORIES.c.id, STORIES.c.update_no, STORIES.c.renewed_at).where(STORIES.c.update_no > 0)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return {row.id: (row.update_no, micros(row.renewed_at) if row.renewed_at else 0) for row in rows}


def renew(connection: Connection, story_id: int, now: datetime) -> int:
    """Raise a story's update number, in the caller's transaction; returns it."""
    change = update(STORIES).where(STORIES.c.id == story_id)
    made = change.values(update_no=STORIES.c.update_no + 1, renewed_at=now).returning(STORIES.c.update_no)
    return int(connection.execute(made).scalar_one())


def _members(connection: Connection, story_id: int) -> list[int]:
    query = select(ARTICLES.c.id).where(ARTICLES.c.story_id == story_id)
    return list(connection.execute(query.order_by(ARTICLES.c.published_at, ARTICLES.c.id)).scalars())


def _move(connection: Connection, articles: Sequence[int], story_id: int) -> None:
    rev = bump(connection, "article", len(articles))
    for number, one in enumerate(articles):
        change = update(ARTICLES).where(ARTICLES.c.id == one)
        connection.execute(change.values(story_id=story_id, rev=rev + number))
