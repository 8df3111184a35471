"""Pictures: decoded in a child process with limits, prepared for the model, rendered.

`pool` is our side and `process` one child of it, `child` the other side, `protocol` what passes between them;
`decoding`, `preparing` and `rendering` are what the child does with a picture.
"""
