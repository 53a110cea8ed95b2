"""A written-by-us newsroom: invented outlets, stories, readers and ten days of reading, made anew from a seed."""

from data.sample.newsroom import Newsroom, generate

__all__ = ["Newsroom", "generate"]
