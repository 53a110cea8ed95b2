"""Epochs: words as TfidfVectorizer weighs them, words never seen, growth, saving, similarity."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from data.text import tokens
from recommender.vectors import Blend, Document, Epoch, Vectors, VectorSettings, concat, similarity, widen

WORDS = "toyota tariff japan strike train minister election storm goal cup bank rate film star oil gas".split()  # noqa: SIM905
TEXTS = st.lists(st.sampled_from([*WORDS, "zanzibar", "quokka", "東京", "praha"]), max_size=8).map(" ".join)
DOCUMENTS = st.builds(Document, title=TEXTS, summary=TEXTS, language=st.sampled_from(["en", "cs", "ja"]))
MANY = st.lists(DOCUMENTS, min_size=1, max_size=6)


def stream(count: int = 60, seed: int = 0) -> list[Document]:
    """A small news stream."""
    random = np.random.default_rng(seed)
    return [Document(" ".join(random.choice(WORDS, 5)), " ".join(random.choice(WORDS, 9))) for _ in range(count)]


def same(left: Vectors, right: Vectors) -> bool:
    """Whether both encode the same texts alike, whatever their widths."""
    width = max(left.words.shape[1], right.words.shape[1])
    difference = [(widen(left.words, width) - widen(right.words, width)).data, (left.pieces - right.pieces).data]
    if left.dense is not None and right.dense is not None:
        difference.append(left.dense - right.dense)
    return all(np.allclose(one, 0, atol=1e-6) for one in difference)


def test_words_are_weighed_as_tfidf_vectorizer_does() -> None:
    documents = stream()
    epoch = Epoch.fit(documents, VectorSettings(title_times=1))
    ours = epoch.encode(documents).words.toarray()
    theirs = TfidfVectorizer(
        analyzer=lambda document: tokens(f"{document.title} {document.summary}", "en"),
        sublinear_tf=True,
        smooth_idf=True,
    )
    expected = theirs.fit_transform(documents).toarray()
    columns = [theirs.vocabulary_[term] for term in epoch.terms(range(epoch.width))]
    assert np.allclose(ours, expected[:, columns], atol=1e-6)


def test_the_title_counts_twice() -> None:
    epoch = Epoch.fit(stream())
    row = epoch.encode([Document("tariff", "strike strike")]).words
    once = epoch.encode([Document("", "tariff tariff strike strike")]).words
    assert np.allclose(row.toarray(), once.toarray(), atol=1e-6)


@given(MANY, MANY)
def test_encoding_together_or_one_after_the_other_is_the_same(first: list[Document], second: list[Document]) -> None:
    together = Epoch.fit(stream()).encode([*first, *second])
    epoch = Epoch.fit(stream())
    assert same(together, concat([epoch.encode(first), epoch.encode(second)]))


@given(MANY)
def test_rows_have_length_one_or_are_empty(documents: list[Document]) -> None:
    vectors = Epoch.fit(stream()).encode(documents)
    lengths = [np.sqrt(np.asarray(part.multiply(part).sum(axis=1)).ravel()) for part in (vectors.words, vectors.pieces)]
    assert all(np.all(np.isclose(one, 1, atol=1e-4) | (one == 0)) for one in lengths)
    latent = np.linalg.norm(vectors.dense, axis=1)  # type: ignore[arg-type]
    assert np.all(np.isclose(latent, 1, atol=5e-4) | (latent == 0))
    np.testing.assert_array_equal(vectors.dense, vectors.dense.astype(np.float16))  # type: ignore[union-attr]


def test_a_name_nobody_has_written_yet_matches_at_once() -> None:
    epoch = Epoch.fit(stream())
    width = epoch.width
    vectors = epoch.encode([Document("Quokka escapes"), Document("Quokka found"), Document("Bank rate")])
    assert epoch.width > width
    found = similarity(vectors.rows([0]), vectors)[0]
    assert found[1] > 0.3 > found[2]


def test_an_unseen_word_weighs_as_one_in_no_text() -> None:
    documents = stream(40)
    epoch = Epoch.fit(documents)
    row = epoch.encode([Document("", "quokka tariff")]).words
    weights = dict(zip(epoch.terms(row.indices), row.data, strict=True))
    df = sum("tariff" in f"{one.title} {one.summary}" for one in documents)
    expected = (np.log(41) + 1) / (np.log(41 / (1 + df)) + 1)
    assert weights["quokka"] / weights["tariff"] == pytest.approx(expected, rel=1e-5)


def test_rows_encoded_before_the_vocabulary_grew_stay_comparable() -> None:
    epoch = Epoch.fit(stream())
    old = epoch.encode([Document("Toyota tariff")])
    epoch.encode([Document("Zanzibar quokka")])
    new = epoch.encode([Document("Toyota tariff")])
    assert similarity(old, new)[0, 0] == pytest.approx(1, abs=5e-4)
    assert similarity(old, new)[0, 0] == similarity(old, old)[0, 0]


def test_similarity_is_symmetric_and_one_with_itself() -> None:
    vectors = Epoch.fit(stream()).encode(stream(20, seed=1))
    found = similarity(vectors, vectors)
    assert np.allclose(found, found.T, atol=1e-6)
    assert np.allclose(np.diag(found), 1, atol=1e-4)


def test_similarity_blends_the_views_both_texts_have() -> None:
    epoch = Epoch.fit([*stream(), Document("東京で発表", language="ja"), Document("東京で会見", language="ja")])
    japanese = epoch.encode([Document("東京で発表", language="ja")])
    assert not japanese.pieces.nnz
    assert similarity(japanese, japanese)[0, 0] == pytest.approx(1, abs=5e-4)
    words_alone = similarity(japanese, japanese, Blend(words=1, pieces=0, dense=0))
    assert words_alone[0, 0] == pytest.approx(1, abs=1e-4)


def test_texts_without_content_are_like_nothing() -> None:
    vectors = Epoch.fit(stream()).encode([Document(""), Document("!!!"), Document("tariff")])
    assert np.all(similarity(vectors, vectors)[:2] == 0)


def test_other_inflections_are_near_in_czech() -> None:
    epoch = Epoch.fit(stream())
    vectors = epoch.encode(
        [Document(text, language="cs") for text in ("Ministři jednají", "Ministr jednal", "Fotbal skončil")]
    )
    found = similarity(vectors.rows([0]), vectors)[0]
    assert found[1] > 2 * found[2]


def test_an_epoch_of_nothing_encodes() -> None:
    vectors = Epoch.fit([]).encode([Document("Toyota tariff"), Document("Toyota")])
    assert vectors.dense is None
    assert similarity(vectors.rows([0]), vectors)[0, 1] > 0


def test_the_fit_is_the_same_each_time() -> None:
    assert same(Epoch.fit(stream()).encode(stream(9, 2)), Epoch.fit(stream()).encode(stream(9, 2)))


def test_a_saved_epoch_goes_on_as_the_one_saved(tmp_path: Path) -> None:
    epoch = Epoch.fit(stream())
    before = epoch.encode([Document("Quokka tariff"), Document("Pražský hrad", language="cs")])
    epoch.save(tmp_path / "epoch")
    loaded = Epoch.load(tmp_path / "epoch")
    assert loaded.settings == epoch.settings
    assert loaded.width == epoch.width
    assert same(before, loaded.encode([Document("Quokka tariff"), Document("Pražský hrad", language="cs")]))


def test_threads_that_meet_new_words_agree_on_their_columns() -> None:
    epoch = Epoch.fit(stream())
    texts = [[Document(f"news{number % 40} alpha{number}x{worker}") for number in range(200)] for worker in range(4)]
    with ThreadPoolExecutor(4) as pool:
        encoded = list(pool.map(epoch.encode, texts))
    for documents, vectors in zip(texts, encoded, strict=True):
        assert same(vectors, epoch.encode(documents))
    names = epoch.terms(range(epoch.width))
    assert len(set(names)) == len(names)
