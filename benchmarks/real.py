"""The real corpora beside the checkout, as rows of an epoch."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from scipy import sparse

from recommender.vectors import Document, Epoch, VectorSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def real() -> Iterator[tuple[str, sparse.csr_matrix]]:
    """Name and word rows of each corpus that is there; all of them together last."""
    everything: list[Document] = []
    for name in ("reuters_1987_part", "multisource_2019"):
        path = DATA / "corpora" / f"{name}.jsonl.gz"
        if path.exists():
            with gzip.open(path, "rt", encoding="utf-8") as file:
                documents = [_document(json.loads(line)) for line in file]
            everything += documents
            yield name, _rows(documents)
    mind = DATA / "mind" / "news.tsv.gz"
    if mind.exists():
        with gzip.open(mind, "rt", encoding="utf-8") as file:
            fields = [line.rstrip("\n").split("\t") for line in file]
        everything += [Document(one[3], one[4] if len(one) > 4 else "") for one in fields if len(one) > 3]
    if everything:
        yield "all_real", _rows(everything)


def _document(item: dict[str, str]) -> Document:
    return Document(item["title"], item.get("summary") or "", item.get("body") or "", item.get("language") or "en")


def _rows(documents: list[Document]) -> sparse.csr_matrix:
    return Epoch.fit(documents, VectorSettings(rank=1)).encode(documents).words
