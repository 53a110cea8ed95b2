"""How much is accepted: a bucket for the project and one for each device."""

from dataclasses import dataclass, field

DEVICES_KEPT = 200_000


@dataclass
class Bucket:
    """A token bucket: `per_minute` refilled evenly, at most `burst` at once."""

    per_minute: float
    burst: float
    at_s: float = 0.0
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.burst

    def take(self, now_s: float) -> bool:
        """Take one, if one is left."""
        self.left = min(self.burst, self.left + (now_s - self.at_s) * self.per_minute / 60)
        self.at_s = now_s
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Quotas:
    """FCM's defaults: 600,000 messages a minute for a project, 240 for an Android device. None: no limit."""

    per_minute: float | None = 600_000
    per_device_minute: float | None = 240
    _projects: dict[str, Bucket] = field(default_factory=dict)
    _devices: dict[str, Bucket] = field(default_factory=dict)

    def allow(self, project: str, device: str | None, now_s: float) -> bool:
        """Whether one more message may pass now. The project's burst is one second of its quota."""
        if self.per_minute is not None:
            bucket = self._projects.get(project)
            if bucket is None:
                burst = max(1.0, self.per_minute / 60)
                bucket = self._projects[project] = Bucket(self.per_minute, burst, now_s)
            if not bucket.take(now_s):
                return False
        return device is None or self.per_device_minute is None or self._device(device, now_s)

    def _device(self, device: str, now_s: float) -> bool:
        limit = self.per_device_minute or 0
        if len(self._devices) > DEVICES_KEPT:
            self._devices.clear()
        return self._devices.setdefault(device, Bucket(limit, max(1.0, limit / 4), now_s)).take(now_s)
