"""What a model says about a picture, and what follows from it."""

import enum
from datetime import datetime

import msgspec


class Decision(enum.StrEnum):
    """What follows from a score."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class Fit(enum.StrEnum):
    """How a picture of any shape becomes the model's square."""

    COVER = "cover"
    """Cut to the middle square."""
    CONTAIN = "contain"
    """Whole, on mid grey bars."""
    STRETCH = "stretch"
    """Whole, its sides' ratio given up."""


class ModelInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a model wants to see: a square of `side_pixels`, RGB, 8 bits a channel."""

    side_pixels: int
    fit: Fit


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Scores from `accept` up are cakes, below `review` are not; between them a person decides. Both in [0, 1]."""

    accept: float
    review: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.review <= self.accept <= 1.0:
            raise ValueError(
                f"thresholds must satisfy 0 <= review <= accept <= 1, not review={self.review}, accept={self.accept}"
            )


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Which model judged: the pack's name and version, and the SHA-256 (hex) of its model file."""

    name: str
    version: str
    sha256: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One model's judgement of one picture. `score` is its probability, 0 to 1, that the picture shows a cake."""

    score: float
    decision: Decision
    thresholds: Thresholds
    model: Model
    judged_at: datetime | None = None


def decide(score: float, thresholds: Thresholds) -> Decision:
    """Which side of the thresholds a score falls on. A score that is not a number is for a person."""
    if score >= thresholds.accept:
        return Decision.ACCEPT
    if score < thresholds.review:
        return Decision.REJECT
    return Decision.REVIEW
