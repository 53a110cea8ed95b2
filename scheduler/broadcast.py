"""One message to a topic: everybody who follows it, in one request, and the ledger knows."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.alerts import Outcome
from data.broadcasts import Broadcasts, NewBroadcast
from data.clock import Clock
from data.errors import InvalidInput, NewsbellError
from data.store import Store
from data.values import ArticleRow
from recommender.policies import in_force
from scheduler.template import Content, Look, build, label

EVERYONE = "everyone"
Post = Callable[[str, bytes], Outcome]  # (app, body) -> how it ended
Enter = Callable[[NewBroadcast, datetime, float], int]  # writes the ledger entry, returns its number


@dataclass
class Broadcaster:
    """Tells a topic of an article."""

    store: Store
    post: Post
    clock: Clock
    look: Look | None = None

    def send(
        self,
        article: ArticleRow,
        *,
        topic: str | None = None,
        app: str = "",
        ttl_s: int = 3_600,
        author: str = "",
        enter: Enter | None = None,
    ) -> Outcome:
        """One POST, written down before it leaves, by `enter` where its writer has more to write.

        Conflict if this topic knows the story; InvalidInput if the article may be told to nobody.
        """
        now = self.clock.now()
        self._check(article, now)
        name = label(topic) if topic else EVERYONE
        key = f"b-{secrets.token_hex(8)}"
        body = self._body(article, name, key, now, ttl_s)
        story = article.story_id or -article.id
        update_no = self._update_no(article)
        ledger = Broadcasts(self.store)
        window_h = in_force(self.store).limits.told_window_h
        one = NewBroadcast(key, app, name, topic, article.id, story, update_no, author)
        number = enter(one, now, window_h) if enter else ledger.begin(one, now=now, window_h=window_h)
        try:
            outcome = self.post(app, body)
        except NewsbellError as error:  # nothing was posted, and nobody will be told so later
            ledger.settle(number, Outcome("failed", reason=str(error)))
            raise
        ledger.settle(number, outcome)
        return outcome

    def _check(self, article: ArticleRow, now: datetime) -> None:
        if article.retracted_at is not None:
            raise InvalidInput(f"article {article.key!r} is retracted; it is told to nobody")
        if article.embargo_until is not None and article.embargo_until > now:
            raise InvalidInput(f"article {article.key!r} is embargoed until {article.embargo_until.isoformat()}")

    def _body(self, article: ArticleRow, topic: str, key: str, now: datetime, ttl_s: int) -> bytes:
        content = Content(
            campaign=f"topic-{topic}"[:64],
            priority="high",
            platform="",
            article=article.key,
            tag=f"story-{article.story_id}" if article.story_id else f"article-{article.id}",
            story=str(article.story_id or ""),
            title=article.title,
            summary=article.summary,
            url=article.url,
            image=article.image_url,
        )
        ends = int((now + timedelta(seconds=ttl_s)).timestamp())
        target = b'"topic":"%b"' % topic.encode()
        return build(content, self.look).fill(target, key.encode(), b"%d" % ttl_s, b"%d" % ends)

    def _update_no(self, article: ArticleRow) -> int:
        from data.outbox import Outbox

        return Outbox(self.store).update_nos().get(article.story_id or 0, 0)
