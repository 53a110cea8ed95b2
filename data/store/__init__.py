"""Every query: one method = one transaction. Bulk paths hand out arrays and plain values."""

from data.store.articles import Articles
from data.store.desk import Desk
from data.store.events import Events
from data.store.feeds import Feeds
from data.store.keys import Keys
from data.store.privacy import Privacy
from data.store.reader_state import ReaderStates
from data.store.readers import Readers
from data.store.served import ServedPages
from data.store.stories import Stories


class Store(Articles, Stories, Readers, ReaderStates, Events, ServedPages, Privacy, Desk, Feeds, Keys):
    """Newsbell's memory, on SQLite or PostgreSQL. Open with `Store.open(url)`."""


__all__ = ["Store"]
