"""How articles come in: feeds, JSON Feeds, sitemaps and article JSONL, from files and addresses."""

from data.intake.canonical import canonical_url
from data.intake.fetch import Fetched, NotModified, fetch
from data.intake.items import FeedReport, Item, Origin, Reading, Rejected
from data.intake.read import read_bytes, read_file

__all__ = [
    "FeedReport",
    "Fetched",
    "Item",
    "NotModified",
    "Origin",
    "Reading",
    "Rejected",
    "canonical_url",
    "fetch",
    "read_bytes",
    "read_file",
]
