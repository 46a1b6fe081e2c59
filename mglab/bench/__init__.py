"""Benchmarks that anyone can repeat: ``mglab bench NAME``. Whole processes, taken in turns, compared as ratios."""
