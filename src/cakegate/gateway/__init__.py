"""The public API.

`app` runs it, `wiring` opens its adapters, `edge` is what every request passes first, `routes` are the handlers, which
translate and call a flow: `accepting` and `waiting` (POST), `cakes` (reads, PUT, DELETE), `images`. `bodies` reads what
clients send, `views` is what they get, `problems` what they get when it goes wrong, `documents` the OpenAPI and its pages.
"""
