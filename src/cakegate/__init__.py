"""Cakegate: a gateway that judges pictures of cakes in front of a legacy Cake API.

The map, from the outside in (imports point down only; import-linter keeps it so):

- ``cli``: the verbs; each loads its process lazily.
- ``gateway``, ``worker``, ``scheduler``: the processes. ``local``: all of them on one machine. ``training``: models.
- ``adapters``: one home for each third-party client and each process boundary.
- ``settings``: what can be set; the only reader of the environment. ``settings_pages``: the same for people.
- ``drawings``: pictures drawn from seeds, for training and the demo.
- ``contract``: the names and ports that processes and the operator must agree on.
- ``domain``: what a cake, a submission and a verdict are. Pure: no I/O, no clock.
"""

__version__ = "0.1.0"
