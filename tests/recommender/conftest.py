"""A small newsroom for tests of what is served: the sample's, at a fixed hour."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from data.clock import FixedClock
from data.sample import Newsroom, generate
from data.settings import Settings, load_settings
from data.store import Store
from data.values import ArticleText
from recommender.service import Service, ensure_default_weights

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def newsroom() -> Newsroom:
    """The sample newsroom, dated up to NOW."""
    return generate(seed=1, now=NOW)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings(refresh_s=0.1)


@pytest.fixture(scope="session")
def sample_store(newsroom: Newsroom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The sample in a SQLite store. For reading: tests that write take `sqlite_store`."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('sample') / 'newsbell.db'}") as store:
        store.migrate()
        store.put_articles(newsroom.articles, now=NOW)
        store.put_readers(newsroom.readers, now=NOW)
        store.add_events(newsroom.events, now=NOW)
        for key in newsroom.retracted:
            store.retract_article(key, now=NOW)
        ensure_default_weights(store, NOW)
        yield store


@pytest.fixture(scope="session")
def sample_service(sample_store: Store, settings: Settings) -> Service:
    """A service over the sample that has taken in everything."""
    service = Service(sample_store, settings, FixedClock(NOW))
    service.refresh()
    return service


@pytest.fixture(scope="session")
def make_text() -> Callable[..., ArticleText]:
    """One article as the index takes it; the words of the title are its subject."""

    def made(number: int, title: str = "", **fields: object) -> ArticleText:
        usual: dict[str, object] = {
            "rev": number, "title": title, "summary": "", "body": "", "language": "en", "source_id": 1,
            "category": "", "topics": (), "places": (), "published_at_us": 1_000_000 * number, "news_value": 0,
            "lifetime": "medium", "embargo_until_us": 0, "retracted": False, "story_id": 0,
        }  # fmt: skip
        return ArticleText(id=number, **(usual | fields))  # type: ignore[arg-type]

    return made
