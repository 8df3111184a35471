"""`python -m benchmarks [NAME …] [OPTION …]`: run the named benchmarks, or the short ones; options go to each."""

import importlib
import sys

SHORT = ("submission", "queue", "throughput")
LONG = ("load", "soak")

if __name__ == "__main__":
    for name in [word for word in sys.argv[1:] if word in SHORT + LONG] or SHORT:
        importlib.import_module(f"benchmarks.{name}").main()
