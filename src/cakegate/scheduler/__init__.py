"""Periodic work, one leader at a time: `app` runs it, `sweep` and `settle` are what it does."""
