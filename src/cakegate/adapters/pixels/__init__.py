"""Pictures: decoded in a child process with limits, measured, prepared for the model, rendered.

`pool` is our side, `process` one child of it and `answers` what is heard from it, `child` the other side, `protocol`
what passes between them; `decoding`, `preparing`, `measuring` and `rendering` are what the child does with a picture.
"""
