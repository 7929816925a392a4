"""``make bench``: figures beside a bare reference in the same run, written to ``bench/RESULTS.md``."""
