"""Measure the text side of the ranking on labelled sets, beside plain scikit-learn on the same data."""
