"""Benchmarks: run by hand, never as tests. Figures depend on the machine; quote medians and ratios."""
