"""`python -m benchmarks [NAME …]`: run the named benchmarks, or all."""

import importlib
import sys

NAMES = ("submission",)

if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
