"""What a cake, a submission, a verdict and a rendition are: data and rules.

No I/O, no clock, no third party but msgspec.
"""
