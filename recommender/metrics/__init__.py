"""One module per metric: how good were lists, for whom, and how sure is that?

Figures of clicks start from `RankedSlates`; a metric gives one number a slate, nan where it says nothing of the slate,
and `bootstrap` turns those into a mean with its interval. Nothing here reads a clock, a file or a database.
"""
