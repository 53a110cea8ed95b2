"""Exact nearest rows of a sparse matrix by cosine."""
