"""Speed of the parts against what does the same elsewhere, for tools/benchmark.py: cases, measuring, the record."""
