"""Pictures: decoded in a child process with limits, prepared for the model, rendered.

`pool` is our side, `child` the other one, `protocol` what passes between them, `decoding` and `preparing` what the
child does with a picture.
"""
