"""What the benchmarks share: processes, load, slices in turn, plots. See docs/performance.md."""
