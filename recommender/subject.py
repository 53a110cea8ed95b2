"""How the views of two articles add up to one likeness in everything that is served."""

from recommender.vectors import Blend

# Same *subject*, whereas the default blend finds the same *story*: pieces of a title that only looks alike ("next
# week", "could be made") lift an unrelated article over any floor. Against the default blend: Czech readers' judgements
# MAP .682 for .685, nDCG@10 .737 for .731; Reuters topics P@5 .865 for .842; and half the cost.
SUBJECT = Blend(words=0.55, pieces=0.0, dense=0.45)
