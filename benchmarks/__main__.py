"""`python -m benchmarks [NAME …] [OPTION …]`: run the named benchmarks, or all; options go to each."""

import importlib
import sys

NAMES = ("submission", "queue", "throughput", "load", "soak")

if __name__ == "__main__":
    for name in [word for word in sys.argv[1:] if word in NAMES] or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
