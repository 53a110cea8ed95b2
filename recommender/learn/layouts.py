"""Studies of the two public layouts: which passes make the features, and what is trained and tested."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import NotFound
from data.values import FloatArray
from recommender.learn.linear import out_of_fold
from recommender.learn.of_texts import text_columns
from recommender.learn.study import DAY_US, Study
from recommender.replay import ebnerd, mind
from recommender.replay.alike import with_alike
from recommender.replay.causal import Clock, Features
from recommender.replay.causal import replay as causal_pass
from recommender.replay.log import HOUR_US, Log
from recommender.replay.relative import with_relative
from recommender.replay.surprise import SURPRISE_NAMES, surprise_features

OF_GROUPS = ("category_liking", "subcategory_liking", "category_lift", "subcategory_lift")
COUNTED = (
    "lift_48h", "lift_12h", "lift_1h", "click_rate_4h", "click_rate_0.3h", "quality_slow", "quality_fast", "coread",
    "coread_top", "shown_before", "trend_reads", "hours_since_click",
    "hours_since_shown", "shown_1h", "prominence_12h",
)  # fmt: skip


def ebnerd_study(folder: Path, delay_us: int) -> Study:
    """Trained on `train`, tested on `validation`. The tested days know the training days as their past."""
    before, both = ebnerd.load(folder, ["train"], ["train"]), ebnerd.load(folder)
    first, clock = len(before), serial_clock(before)
    known = with_alike(causal_pass(before, delay_us, clock), before, delay_us)
    known = with_relative(known, before.slates.start)
    asked = with_alike(causal_pass(both, delay_us, clock, first), both, delay_us, first)
    asked = with_relative(asked, both.slates.start[first:] - both.slates.start[first])
    return Study.of((known, before.slates), (asked, both.slates), first)


def serial_clock(log: Log) -> Clock:
    """A straight line through the greatest serial numbers heard of by the end of each of the last fourteen days.

    Where only one of them knows any article, an hour an article.
    """
    at = np.concatenate([log.reads.at, np.repeat(log.slates.at, np.diff(log.slates.start))])
    serial = log.articles.serial[np.concatenate([log.reads.item, log.slates.item])]
    end = int(at.max())
    heard = {
        end - back * DAY_US: serial[(at > end - (back + 1) * DAY_US) & (at <= end - back * DAY_US)]
        for back in range(14)
    }
    days = [day for day, some in heard.items() if len(some)]
    most = [float(np.quantile(heard[day], 0.99)) for day in days]
    slope = np.polyfit(np.array(days, np.float64) - end, most, 1)[0] if len(days) > 1 else 1 / HOUR_US
    return most[0], float(end), float(slope)


@dataclass(frozen=True)
class MindStudies:
    """The same slates with all features, and with those of texts and categories alone; what of them is mapped."""

    everything: Study
    texts: Study
    mapped: NDArray[np.float32]  # (slates,)


def mind_study(folder: Path, delay_us: int) -> MindStudies:
    """Trained on `impressions*`, tested on `slates*`, in the folder with `news`."""
    training, tested = _find(folder, "impressions"), _find(folder, "slates")
    log, news = mind.load([training, tested], _find(folder, "news"))
    first = len(mind.load([training], _find(folder, "news"))[0])
    counted = causal_pass(log, delay_us)
    names, X = text_columns(log, news, first, delay_us)
    of_groups = np.stack([counted.column(name) for name in OF_GROUPS], 1)
    texts = _study(log, (*names, *OF_GROUPS), np.concatenate([X, of_groups], 1), first)
    promise = out_of_fold(texts)
    beyond = surprise_features(log, promise, delay_us)
    more = np.stack([counted.column(name) for name in COUNTED], 1)
    everything = _study(
        log, (*texts.features.names, *SURPRISE_NAMES, *COUNTED), np.concatenate([texts.features.X, beyond, more], 1),
        first,
    )  # fmt: skip
    return MindStudies(everything, texts, log.mapped)


def _study(log: Log, names: tuple[str, ...], X: FloatArray, first: int) -> Study:
    reader = log.slates.reader.astype(np.int64)
    features = Features(np.ascontiguousarray(X, np.float32), names, len(names))
    return Study(features, log.slates.start, log.slates.clicked, log.slates.at, reader, first)


def _find(folder: Path, beginning: str) -> Path:
    found = sorted(path for path in folder.glob(f"{beginning}*.tsv*") if path.is_file())
    if not found:
        raise NotFound(f"no {beginning}*.tsv in {folder}: name the folder that holds news, impressions and slates")
    return found[0]


def relative(study: Study) -> Study:
    """The study with the slate-relative forms of every feature."""
    return replace(study, features=with_relative(study.features, study.start))
