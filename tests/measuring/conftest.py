"""The benchmarks stand beside the tests, in no distribution: the last place where a module is looked for."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
