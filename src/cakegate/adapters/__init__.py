"""One home for each third-party client and each process boundary; adapters do not import each other."""
