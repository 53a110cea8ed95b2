"""What a service tells of its work to whoever counts; the faces put their own in its place."""


class Observer:
    """Hears numbers, never names. This one forgets them."""

    def listed(self, surface: str, candidates: int, *, is_cold: bool = False) -> None:
        """A list was ranked from so many candidates; `is_cold`: for a reader who did nothing yet."""

    def cached(self, cache: str, *, hit: bool) -> None:
        """A cache was asked."""

    def visible(self, what: str, lag_s: float) -> None:
        """An "article" or "event" came into the snapshot so long after it was received."""

    def written(self, posts: int, events: int, seconds: float) -> None:
        """So many posts and events went into one transaction, which took so long."""

    def followed(self, articles: int) -> None:
        """The snapshot was brought up to the rows; it holds so many articles."""
