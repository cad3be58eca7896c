"""Shared by the benchmarks: processes, load, alternating slices, plots. See docs/performance.md."""
