"""The EB-NeRD layout: a folder of parts with behaviors.parquet and history.parquet, and a folder `meta`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import InvalidInput, NotFound
from recommender.replay.log import Articles, Log, Reads, Slates, in_order

PARTS = ("train", "validation")
WHOLE_S = 60.0  # seconds of reading that count as having read an article
GROUPS = ("premium", "length")
FACTS = ("premium", "length")
_LENGTHS = (1_000, 2_000, 3_000, 5_000)  # characters
# `next_*` is the future, `read_time` of the page a slate stood on is known only when it is left: neither is read.
_BEHAVIOURS = ("impression_time", "user_id", "article_id", "device_type", "article_ids_inview", "article_ids_clicked")
_HISTORY = ("user_id", "impression_time_fixed", "article_id_fixed", "read_time_fixed", "scroll_percentage_fixed")


def load(folder: Path, slates_of: Sequence[str] = PARTS, histories_of: Sequence[str] = PARTS) -> Log:
    """The log of some parts of a folder; reads of the histories of others may be taken without their slates.

    Articles are numbered in the order of their ids, which are serial numbers. NotFound where a part is missing.
    """
    shown = [_table(folder / part / "behaviors.parquet", _BEHAVIOURS) for part in slates_of]
    past = [_table(folder / part / "history.parquet", _HISTORY) for part in histories_of]
    columns = {name: np.concatenate([one[name] for one in shown]) for name in shown[0] if "ids" not in name}
    inview = [_lists(one["article_ids_inview"]) for one in shown]
    clicks = [_lists(one["article_ids_clicked"]) for one in shown]
    history = {name: np.concatenate([_lists(one[name])[0] for one in past]) for name in _HISTORY[1:]}
    who = np.concatenate([np.repeat(one["user_id"], np.diff(_lists(one["article_id_fixed"])[1])) for one in past])
    items = np.concatenate([values for values, _ in inview]).astype(np.int64)
    starts = _joined(inview)
    beside = np.nan_to_num(columns["article_id"], nan=0).astype(np.int64)
    ids = np.unique(np.concatenate([items, history["article_id_fixed"].astype(np.int64), beside[beside > 0]]))
    readers = np.unique(np.concatenate([columns["user_id"], who]))
    slates, _ = in_order(
        Slates(
            at=_us(columns["impression_time"]),
            reader=np.searchsorted(readers, columns["user_id"]).astype(np.int32),
            start=starts,
            item=np.searchsorted(ids, items).astype(np.int32),
            clicked=_clicked(items, starts, np.concatenate([values for values, _ in clicks]), _joined(clicks)),
            beside=np.where(beside > 0, np.searchsorted(ids, beside), -1).astype(np.int32),
            device=columns["device_type"].astype(np.int32),
        )
    )
    first_at = int(slates.at[0]) if len(slates.at) else 0
    return Log(
        slates, _reads(history, who, ids, readers, first_at), _articles(folder / "meta", ids), GROUPS, FACTS, ids,
        readers,
        np.ones(len(slates.at), np.float32),
    )  # fmt: skip


def _reads(
    history: dict[str, NDArray[Any]], who: NDArray[Any], ids: NDArray[Any], readers: NDArray[Any], first_at: int
) -> Reads:
    at = _us(history["impression_time_fixed"])
    seconds = np.nan_to_num(history["read_time_fixed"].astype(np.float32), nan=0.0)
    scroll = np.nan_to_num(history["scroll_percentage_fixed"].astype(np.float32), nan=0.0) / 100
    worth = 0.2 + 0.4 * np.minimum(seconds / WHOLE_S, 1) + 0.4 * np.clip(scroll, 0, 1)
    # What popularity hears of once slates are shown comes from these: the log of the tested days has no other reads.
    # The histories of two parts overlap: the same read of the same reader is one.
    item = np.searchsorted(ids, history["article_id_fixed"].astype(np.int64)).astype(np.int32)
    reader = np.searchsorted(readers, who).astype(np.int32)
    order = np.lexsort((item, reader, at))
    same = np.zeros(len(order), bool)
    for column in (at, reader, item):
        differs = np.diff(column[order]) != 0
        same[1:] |= differs
    kept = order[np.append(True, same[1:])] if len(order) else order
    return Reads(
        at[kept], reader[kept], item[kept], worth[kept].astype(np.float32), (at[kept] < first_at).astype(np.uint8)
    )


def _articles(meta: Path, ids: NDArray[np.int64]) -> Articles:
    length = _facts(meta / "article_length.parquet", "article_length", ids)
    premium = _facts(meta / "premium_articles.parquet", "premium", ids)
    groups = np.stack([
        np.where(np.isnan(premium), -1, np.nan_to_num(premium)),
        np.where(np.isnan(length), -1, 2 + np.searchsorted(_LENGTHS, np.nan_to_num(length))),
    ]).astype(np.int32)  # fmt: skip
    facts = np.stack([np.nan_to_num(premium, nan=0.5), np.log1p(np.nan_to_num(length, nan=1_500))], 1)
    none = np.zeros(len(ids), np.int64)
    return Articles(ids, none, groups, np.ascontiguousarray(facts, np.float32))


def _facts(path: Path, name: str, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number of each article, nan where the file has none."""
    table = _table(path, ("article_id", name))
    order = np.argsort(table["article_id"])
    known, values = table["article_id"][order].astype(np.int64), table[name][order].astype(np.float64)
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[place] == ids, values[place], np.nan)


def _clicked(
    items: NDArray[np.int64], starts: NDArray[np.int64], clicks: NDArray[Any], ends: NDArray[np.int64]
) -> NDArray[np.uint8]:
    slate = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    clicked = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    width = int(items.max(initial=0)) + 1
    return np.isin(slate * width + items, clicked * width + clicks).astype(np.uint8)


def _joined(lists: list[tuple[NDArray[Any], NDArray[np.int64]]]) -> NDArray[np.int64]:
    sizes = np.concatenate([np.diff(starts) for _, starts in lists])
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _lists(column: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values and starts of a list column."""
    merged = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    starts = merged.offsets.to_numpy().astype(np.int64)
    return merged.flatten().to_numpy(zero_copy_only=False), starts - starts[0]


def _us(times: NDArray[Any]) -> NDArray[np.int64]:
    return times.astype("datetime64[us]").astype(np.int64)


def _table(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """The named columns: arrays, or Arrow lists."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise NotFound("the EB-NeRD layout is Parquet: install it with `pip install pyarrow`") from None
    if not path.is_file():
        raise NotFound(f"{path} is missing: name the folder that holds train, validation and meta")
    try:
        table = pq.read_table(path, columns=list(names))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path.name} cannot be read ({error}): fetch it again") from error
    if missing := set(names) - set(table.column_names):
        raise InvalidInput(f"{path.name} has no column {', '.join(sorted(missing))}: is it of the EB-NeRD layout?")
    lists = {name for name in names if str(table.schema.field(name).type).startswith("list")}
    return {name: table[name] if name in lists else table[name].to_numpy() for name in names}
