"""The script of a fake: latency, quotas, and which requests go wrong, how."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import log
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from data.errors import InvalidInput
from scheduler.fake_fcm.answers import NAMES

# What happens on the wire, after the message was processed unless it says otherwise.
FAULTS = ("reset_stream", "reset_connection", "close_connection", "slow_body", "hang", "goaway", "refuse_stream")


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long an answer takes. `lognormal` has its median at `ms` and its 95th percentile at `p95_ms`."""

    kind: Literal["fixed", "uniform", "lognormal"] = "fixed"
    ms: float = 0.0
    p95_ms: float | None = None

    def sampler(self, rng: random.Random) -> Callable[[], float]:
        """Seconds, drawn anew with each call."""
        median_s, far_s = self.ms / 1e3, (self.p95_ms or self.ms) / 1e3
        if self.kind == "uniform":
            return lambda: rng.uniform(median_s, far_s)
        if self.kind == "lognormal" and median_s > 0:
            sigma = log(far_s / median_s) / 1.6449  # the normal's 95th percentile
            return lambda: rng.lognormvariate(log(median_s), sigma)
        return lambda: median_s


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """Which requests, and what they get: an answer by name, or a fault. The first rule that matches counts.

    `every`: each so-many-th request that matches the rest; `share`: at random; `first`, `last`: only these of them,
    counted from 1; `from_s`, `until_s`: seconds since the start.
    """

    answer: str
    device: str | None = None  # a pattern like `bad-*`
    project: str | None = None
    topic: str | None = None
    article: str | None = None  # pattern of `data.article_id`
    every: int | None = None
    share: float | None = None
    first: int | None = None
    last: int | None = None
    from_s: float | None = None
    until_s: float | None = None
    retry_after_s: float | None = None
    seen: int = 0

    def __post_init__(self) -> None:
        if self.answer not in NAMES and self.answer not in FAULTS:
            raise ValueError(f"no answer {self.answer!r}; there are {', '.join((*NAMES, *FAULTS))}")


class Connection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an HTTP/2 connection behaves."""

    streams: int = 100
    goaway_every: int | None = None  # requests on one connection, then a graceful GOAWAY
    max_age_s: float = 3_600.0
    idle_s: float = 240.0
    linger_s: float = 2.0  # after a GOAWAY, for the client to hang up first
    ping: bool = True  # after each answer, as FCM does
    empty_data: bool = True  # END_STREAM in a second, empty DATA frame, as FCM does


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits in a minute; None: none. `retry_after_s` goes with each 429."""

    per_minute: float | None = 600_000
    per_device_minute: float | None = 240
    retry_after_s: float | None = None


class Script(msgspec.Struct, forbid_unknown_fields=True):
    """Everything that can be set. Files are YAML or JSON of this shape."""

    latency: Latency = msgspec.field(default_factory=Latency)
    quota: Quota = msgspec.field(default_factory=Quota)
    connection: Connection = msgspec.field(default_factory=Connection)
    rules: list[Rule] = []
    token_life_s: float = 3_599.0
    any_bearer: bool | None = None  # take every `ya29.`; not set: until a service account was made
    keep_phones: int = 50_000
    log_requests: bool = True
    seed: int = 1


@dataclass
class Dice:
    """A script being played: its rules in turn, its chance seeded."""

    script: Script
    rng: random.Random = field(init=False)
    latency_s: Callable[[], float] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.script.seed)  # noqa: S311  a play, not a secret
        self.latency_s = self.script.latency.sampler(self.rng)

    def rule(self, project: str, device: str | None, topic: str | None, article: str, at_s: float) -> Rule | None:
        """The first rule for this request; counts it."""
        for rule in self.script.rules:
            if self._fits(rule, project, device, topic, article, at_s):
                return rule
        return None

    def _fits(self, rule: Rule, project: str, device: str | None, topic: str | None, article: str, at_s: float) -> bool:
        wanted = ((rule.project, project), (rule.device, device), (rule.topic, topic), (rule.article, article))
        if any(pattern is not None and not fnmatchcase(value or "", pattern) for pattern, value in wanted):
            return False
        if at_s < (rule.from_s or 0) or at_s >= (rule.until_s or float("inf")):
            return False
        if rule.share is not None and self.rng.random() >= rule.share:
            return False
        rule.seen += 1
        if rule.every is not None and rule.seen % rule.every:
            return False
        return (rule.first or 1) <= rule.seen <= (rule.last or rule.seen)


def read_script(path: Path) -> Script:
    """A script file; InvalidInput says what is wrong with it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInput(f"cannot read the script {path}: {error}") from None
    return make_script(content or {})


def make_script(content: Any) -> Script:
    """A script of plain values; InvalidInput names the field."""
    try:
        return msgspec.convert(content, Script)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the script is wrong: {error}; docs/fake-fcm.md has the fields") from None
