"""What a model says about a picture, and what follows from it."""

import enum
from datetime import datetime

import msgspec


class Decision(enum.StrEnum):
    """What follows from a score."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class Role(enum.StrEnum):
    """Whose verdict it is: the primary's decides, a shadow's is stored and never acted on."""

    PRIMARY = "primary"
    SHADOW = "shadow"


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


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to judge by in a picture.

    `shortest_side_pixels` is the file's. `contrast` is the standard deviation of its luminance: 0 for one flat colour,
    at most 127.5. `sharpness` is how steep its steepest edges are, against that contrast: about 1 and more for a
    photograph in focus, towards 0 as it is blurred; 0 where nothing is to be seen.
    """

    shortest_side_pixels: int
    contrast: float
    sharpness: float


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Scores from `accept` up are cakes, below `review` are not; between them a person decides. Both in [0, 1]."""

    accept: float
    review: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.review <= self.accept <= 1.0:
            raise ValueError(
                f"thresholds must satisfy 0 <= review <= accept <= 1, not review={self.review}, accept={self.accept}"
            )


class Minima(msgspec.Struct, frozen=True, kw_only=True):
    """The least of each `Quality` with which a picture can be judged. A minimum of 0 asks for nothing."""

    shortest_side_pixels: int
    contrast: float
    sharpness: float


class Flaw(enum.StrEnum):
    """Why a picture cannot be judged, whatever its score."""

    TOO_SMALL = "too-small"
    BLANK = "blank"
    BLURRED = "blurred"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a verdict and its picture's quality: a `flaw`, said in words by `detail`, is for a person."""

    decision: Decision
    flaw: Flaw | None = None
    detail: str | None = None


class Opinion(enum.StrEnum):
    """What a person says that a picture shows."""

    CAKE = "cake"
    NOT_CAKE = "not-cake"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Which model judged: the pack's name and version, and the SHA-256 (hex) of its model file."""

    name: str
    version: str
    sha256: str


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture may show, and the model's probability of it, 0 to 1."""

    name: str
    score: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One model's judgement of one picture. `score` is its probability, 0 to 1, that the picture shows a cake.

    `labels`: "cake" with the score first, then the likeliest kinds of cakes and other things, likeliest first.
    """

    score: float
    decision: Decision
    thresholds: Thresholds
    model: Model
    judged_at: datetime | None = None
    labels: list[Label] = []


def decide(score: float, thresholds: Thresholds) -> Decision:
    """Which side of the thresholds a score falls on. A score that is not a number is for a person."""
    if score >= thresholds.accept:
        return Decision.ACCEPT
    if score < thresholds.review:
        return Decision.REJECT
    return Decision.REVIEW


def flaw(quality: Quality, minima: Minima) -> Flaw | None:
    """What keeps a picture from being judged, the plainest first: what is blank is blurred as well.

    A measure that is not a number is below any minimum but 0.
    """
    if quality.shortest_side_pixels < minima.shortest_side_pixels:
        return Flaw.TOO_SMALL
    if minima.contrast > 0 and not quality.contrast >= minima.contrast:
        return Flaw.BLANK
    if minima.sharpness > 0 and not quality.sharpness >= minima.sharpness:
        return Flaw.BLURRED
    return None


def after(verdict: Verdict, quality: Quality, minima: Minima) -> Outcome:
    """What follows from a verdict on a picture of this quality: the score decides, unless too little is to be seen."""
    found = flaw(quality, minima)
    if found is None:
        return Outcome(decision=verdict.decision)
    return Outcome(decision=Decision.REVIEW, flaw=found, detail=_words(found, quality, minima))


def _words(found: Flaw, quality: Quality, minima: Minima) -> str:
    if found is Flaw.TOO_SMALL:
        return f"shorter side {quality.shortest_side_pixels} px; {minima.shortest_side_pixels} are wanted"
    if found is Flaw.BLANK:
        return f"contrast {quality.contrast:.3g}; {minima.contrast:g} is wanted"
    return f"sharpness {quality.sharpness:.3g}; {minima.sharpness:g} is wanted"


def in_force(card: Thresholds, *, accept: float | None, review: float | None, band: float) -> Thresholds:
    """The thresholds to judge by: each given one instead of the card's, then the band between them made `band` as wide.

    The band keeps its upper edge, so that a wider or narrower one never changes what is accepted: `band` 1 leaves it as
    it is, 0 leaves nothing for a person, above 1 more is asked of people and less rejected. Where `accept` alone is
    given and falls below the card's review threshold, it is the review threshold too.

    Raises:
        ValueError: a given `review` is above the accept threshold.
    """
    upper = card.accept if accept is None else accept
    lower = min(card.review, upper) if review is None else review
    if lower > upper:
        raise ValueError(f"the review threshold {lower:g} is above the accept threshold {upper:g}")
    if band != 1:
        # A narrower band never ends below a wider one, nor on the other side of the card's, by rounding.
        lower = (max if band < 1 else min)(lower, upper - band * (upper - lower))
    return Thresholds(accept=upper, review=max(0.0, lower))
