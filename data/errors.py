"""Every error Newsbell raises on purpose.

NewsbellError                 the message says what to do next
├── InvalidInput              the caller's data cannot be taken as it is       -> 422, exit 1
│   ├── InvalidTime           a time that is naive, unreadable or out of range
│   └── TooLarge              larger than a stated limit                       -> 413
├── NotFound                  the id names nothing we hold                     -> 404
├── Conflict                  true when asked, no longer true when written     -> 409
├── Expired               was kept for a stated time, which is over            -> 410
├── Overloaded            more work than can be done now; try again            -> 503
├── TooMany               a key's rate is used up; try again                   -> 429
├── NotAllowed                the key or role does not cover this              -> 403
├── FetchFailed               a feed or page could not be read
│   └── AddressRefused        a private or non-http address, refused unless allowed
├── BlockFailed               the work on a block of readers raised, here or on a Dask worker
├── DatabaseNotReady          missing, older or newer than this program        -> 503
└── InvalidSettings           the environment asks for something impossible
"""


class NewsbellError(Exception):
    """The root: whoever catches it may show `str(error)` to a person."""


class InvalidInput(NewsbellError):
    """The caller's data cannot be taken as it is."""


class InvalidTime(InvalidInput):
    """A time that is naive, unreadable or out of range."""


class TooLarge(InvalidInput):
    """Larger than a stated limit."""


class NotFound(NewsbellError):
    """The identifier names nothing we hold."""


class Conflict(NewsbellError):
    """What the caller relied on changed before it was written."""


class Expired(NewsbellError):
    """Kept for a stated time, which is over."""


class Overloaded(NewsbellError):
    """More work than can be done now; the same again in a moment."""


class TooMany(NewsbellError):
    """A key's rate is used up; `after_s` says when to try again."""

    def __init__(self, detail: str, after_s: float) -> None:
        super().__init__(detail)
        self.after_s = after_s


class NotAllowed(NewsbellError):
    """The key or role does not cover this action."""


class FetchFailed(NewsbellError):
    """A feed or page could not be read."""


class AddressRefused(FetchFailed):
    """The address is private or not http(s) and was not allowed."""


class BlockFailed(NewsbellError):
    """The work on a block of readers raised; the message names the block, the cause is chained."""


class DatabaseNotReady(NewsbellError):
    """The database is missing, older or newer than this program."""


class InvalidSettings(NewsbellError):
    """The environment asks for something impossible."""
