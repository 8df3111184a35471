"""The public API: passes reads through, takes submissions in and waits for their end.

- ``app``: compose, serve, drain. ``wiring``: open and close the adapters.
- ``edge``: the ASGI wrapper around all: request ids, metrics, limits, CORS, the last word on errors.
- ``routes``: every address; each handler translates and calls a flow.
- flows: ``reading``, ``accepting`` (with ``waiting``), ``changing``, ``pictures``.
- translations: ``bodies`` and ``preferences`` from what clients send, ``answers`` and ``problems`` to what they get.
- ``limiting`` and ``clients``: how often one client may ask, and who that is; ``places``: how many
  requests may be at one thing.
- ``openapi``, ``headers``, ``schemas``, ``examples`` and ``pages``: the API's description, and the pages that show it.
"""
