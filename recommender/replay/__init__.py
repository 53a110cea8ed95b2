"""Replay: what a ranking would have done with past slates, told only what was known when each was shown."""
