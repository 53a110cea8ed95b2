"""One module per row: `run(options)` yields reports."""
