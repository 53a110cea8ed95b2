"""What an HTTP answer costs, beside a bare server and a straightforward one; `python -m benchmarks http`."""
