"""Exact nearest rows of a growing sparse matrix by cosine: postings in immutable segments, searched with bounds."""

from recommender.postings.layout import Segment, merge
from recommender.postings.search import Found, Postings

__all__ = ["Found", "Postings", "Segment", "merge"]
