"""Periodic work, one leader at a time: `app` runs it, `sweep` is what it does."""
