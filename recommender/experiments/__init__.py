"""Two versions of weights, tried on real readers, and told apart without fooling ourselves.

Who gets what is a hash; whether it differs is a test that may be looked at every day. Nothing here reads a clock or a
database: `store_log` and `cli` stand at the edge.
"""
