"""The chaos run: the whole stack as real processes, killed and frozen at random before an upstream that lies.

`plans` says what happens when, as data made from a seed; `bakery` is the stack; `clients`, `neighbours`, `staff` and
`strikes` act on it; `records` is the shape of what was seen and `evidence` collects it; `audit` holds it against the
upstream's ledger; `report` prints it; `run` puts it together. `python -m chaos` runs it at length.
"""
