"""Every query: one method = one transaction. Bulk paths hand out arrays and plain values."""

from data.store.alert_log import AlertLog
from data.store.apart import Apart
from data.store.articles import Articles
from data.store.audit import Audit
from data.store.bulk import Bulk
from data.store.desk import Desk
from data.store.drafts import Drafts
from data.store.events import Events
from data.store.experiments import Experiments
from data.store.feeds import Feeds
from data.store.keys import Keys
from data.store.people import People
from data.store.personas import Personas
from data.store.privacy import Privacy
from data.store.pulse import Pulse
from data.store.reach import ReachTargets
from data.store.reader_state import ReaderStates
from data.store.readers import Readers
from data.store.replays import Replays
from data.store.served import ServedPages
from data.store.sessions import Sessions
from data.store.stories import Stories
from data.store.story_desk import StoryDesk


class Store(
    Articles, Stories, Readers, ReaderStates, Events, ServedPages, Privacy, Bulk, Desk, Drafts, Personas, StoryDesk,
    Apart, ReachTargets, Replays, Pulse, Feeds, Keys, People, Sessions, Audit, Experiments,
    AlertLog,
):  # fmt: skip
    """Newsbell's memory, on SQLite or PostgreSQL. Open with `Store.open(url)`."""


__all__ = ["Store"]
