"""Readers and their devices."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, func, select

from data.errors import InvalidInput, NotFound
from data.models import Device, Reader
from data.store.database import Database, chunks, table
from data.values import DeviceRow, ReaderRow
from data.wire import DeviceIn, ReaderIn, ReaderPatch, reasons

READERS, DEVICES = table(Reader), table(Device)
_LISTS = ("followed_topics", "muted_topics", "muted_sources", "followed_stories", "muted_stories")


class Readers(Database):
    """What readers chose, and where they can be reached."""

    def put_readers(self, batch: Sequence[ReaderIn], *, now: datetime) -> int:
        """Write readers whole, by key; the last of equal keys wins. Returns how many rows were written."""
        rows = {reader.id: _reader_fields(reader, now) for reader in batch}
        if not rows:
            return 0
        with self.transaction() as connection:
            self._upsert_readers(connection, list(rows.values()))
        return len(rows)

    def patch_reader(self, key: str, patch: ReaderPatch, *, now: datetime) -> None:
        """Change some of a reader's choices; NotFound, or InvalidInput where a list would grow too long."""
        wanted = select(READERS).where(READERS.c.key == key).with_for_update()
        with self.transaction() as connection:
            row = connection.execute(wanted).first()
            if row is None:
                raise NotFound(f"reader {key!r} is unknown; a PUT or the reader's first event makes it known")
            before = {name: getattr(row, name) for name in ReaderIn.model_fields if name != "id"}
            try:
                after = patch.applied(ReaderIn(id=key, **before).model_dump())
            except ValidationError as error:
                raise InvalidInput(f"The change is not possible: {reasons(error)}.") from None
            self._upsert_readers(connection, [_reader_fields(after, now)])

    def _upsert_readers(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        made = self.insert(Reader)
        kept = {name: made.excluded[name] for name in rows[0] if name not in {"key", "created_at"}}
        connection.execute(made.on_conflict_do_update(index_elements=["key"], set_=kept), rows)

    def reader(self, key: str) -> ReaderRow | None:
        """One reader by key, or None."""
        with self.reading() as connection:
            row = connection.execute(select(READERS).where(READERS.c.key == key)).first()
        return _reader_row(row) if row else None

    def readers(self, ids: Iterable[int]) -> list[ReaderRow]:
        """Readers in the order asked; unknown ids are left out."""
        wanted = [int(one) for one in ids]
        found: dict[int, ReaderRow] = {}
        with self.reading() as connection:
            for part in chunks(wanted):
                rows = connection.execute(select(READERS).where(READERS.c.id.in_(part)))
                found.update((row.id, _reader_row(row)) for row in rows)
        return [found[one] for one in wanted if one in found]

    def reader_pages(self, *, size: int = 5_000, push_only: bool = False) -> Iterator[list[ReaderRow]]:
        """Every reader, `size` at a time by number; each page is its own short transaction."""
        last = 0
        while True:
            query = select(READERS).where(READERS.c.id > last).order_by(READERS.c.id).limit(size)
            if push_only:
                query = query.where(READERS.c.push)
            with self.reading() as connection:
                page = [_reader_row(row) for row in connection.execute(query)]
            if not page:
                return
            yield page
            last = page[-1].id

    def reader_keys(self, limit: int) -> list[str]:
        """The keys of the first readers."""
        with self.reading() as connection:
            return list(connection.execute(select(READERS.c.key).order_by(READERS.c.id).limit(limit)).scalars())

    def count_readers(self) -> int:
        """How many readers there are."""
        with self.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(READERS)).scalar_one())

    def put_device(self, reader_key: str, device: DeviceIn, *, now: datetime) -> None:
        """Register a device with a reader, who is created if new. A device known elsewhere moves to this reader."""
        self.put_devices([(reader_key, device)], now=now)

    def put_devices(self, batch: Sequence[tuple[str, DeviceIn]], *, now: datetime) -> int:
        """Register many devices at once; the last of equal fids wins."""
        wanted = {device.fid: (reader_key, device) for reader_key, device in batch}
        if not wanted:
            return 0
        with self.transaction() as connection:
            ids = reader_ids(connection, self, {reader_key for reader_key, _ in wanted.values()}, now)
            rows = [
                {**device.model_dump(), "reader_id": ids[reader_key], "seen_at": now, "state": "active"}
                for reader_key, device in wanted.values()
            ]
            made = self.insert(Device)
            kept = {name: made.excluded[name] for name in rows[0] if name != "fid"}
            connection.execute(made.on_conflict_do_update(index_elements=["fid"], set_=kept), rows)
        return len(wanted)

    def delete_device(self, reader_key: str, fid: str) -> None:
        """Forget a device of a reader; NotFound if the reader has no such device."""
        owner = select(READERS.c.id).where(READERS.c.key == reader_key).scalar_subquery()
        with self.transaction() as connection:
            gone = connection.execute(delete(DEVICES).where(DEVICES.c.fid == fid, DEVICES.c.reader_id == owner))
            if not gone.rowcount:
                raise NotFound(f"reader {reader_key!r} has no device {fid[:20]!r}; nothing was removed")

    def count_devices(self) -> dict[str, int]:
        """How many devices are in each state, and how many are test devices."""
        with self.reading() as connection:
            rows = connection.execute(select(DEVICES.c.state, func.count()).group_by(DEVICES.c.state))
            found = {str(state): int(number) for state, number in rows}
            tests = select(func.count()).select_from(DEVICES).where(DEVICES.c.is_test)
            return found | {"test": int(connection.execute(tests).scalar_one())}

    def devices_of(self, reader_ids: Iterable[int]) -> list[DeviceRow]:
        """The active devices of these readers, by reader and device number."""
        found: list[DeviceRow] = []
        with self.reading() as connection:
            for part in chunks(sorted({int(one) for one in reader_ids})):
                query = select(DEVICES).where(DEVICES.c.reader_id.in_(part), DEVICES.c.state == "active")
                rows = connection.execute(query.order_by(DEVICES.c.reader_id, DEVICES.c.id))
                found.extend(_device_row(row) for row in rows)
        return found


def reader_ids(connection: Connection, database: Database, keys: Iterable[str], now: datetime) -> dict[str, int]:
    """Our numbers of these readers; those never seen are created with the defaults."""
    wanted = sorted(set(keys))
    known = _known_readers(connection, database, wanted)
    fresh = [_reader_fields(ReaderIn(id=key), now) for key in wanted if key not in known]
    if fresh:
        connection.execute(database.insert(Reader).on_conflict_do_nothing(), fresh)
        known |= _known_readers(connection, database, [row["key"] for row in fresh])
    return known


def _known_readers(connection: Connection, database: Database, keys: Sequence[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in database.look_up(connection, "reader", "key", "id", keys)}


def _reader_fields(reader: ReaderIn, now: datetime) -> dict[str, Any]:
    fields = reader.model_dump(exclude={"id"})
    quiet = {name: fields[name].strftime("%H:%M") for name in ("quiet_from", "quiet_until")}
    return fields | quiet | {"key": reader.id, "created_at": now}


def _reader_row(row: Row[Any]) -> ReaderRow:
    fields = {name: getattr(row, name) for name in ReaderRow.__dataclass_fields__}
    return ReaderRow(**fields | {name: tuple(fields[name]) for name in _LISTS})


def _device_row(row: Row[Any]) -> DeviceRow:
    return DeviceRow(row.id, row.fid, row.reader_id, row.platform, row.token, row.language, row.is_test)
