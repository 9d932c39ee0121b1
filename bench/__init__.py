"""How fast the product is, as ratios against the bare machine: ``make bench`` (see docs/benchmarks.md)."""
