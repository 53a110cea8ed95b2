"""What Newsbell's arithmetic costs, against what one would write without it: `python -m benchmarks [ROW...]`."""
