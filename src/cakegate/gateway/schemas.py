"""The documents that clients get, as types: what is sent is encoded from them, and OpenAPI is generated from them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from cakegate.domain import cakes, submissions, verdicts


class Cake(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A cake, as the legacy API keeps it. It may have further members there."""

    id: Annotated[int | str, Meta(description="Given out by the bakery: a number or text.")]
    name: Annotated[
        str, Meta(min_length=cakes.NAME_MIN_CHARACTERS, max_length=cakes.NAME_MAX_CHARACTERS, examples=["Lemon tart"])
    ]
    comment: Annotated[str, Meta(min_length=cakes.COMMENT_MIN_CHARACTERS, max_length=cakes.COMMENT_MAX_CHARACTERS)]
    image_url: Annotated[str, Meta(description="Where its picture is, an http or https URL.")]
    yum_factor: Annotated[float, Meta(ge=cakes.YUM_FACTOR_MIN, le=cakes.YUM_FACTOR_MAX)]


class NewCake(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A cake to be submitted. White space around its texts is cut; lengths count what is left, in characters."""

    name: Annotated[str, Meta(min_length=cakes.NAME_MIN_CHARACTERS, max_length=cakes.NAME_MAX_CHARACTERS)]
    comment: Annotated[str, Meta(min_length=cakes.COMMENT_MIN_CHARACTERS, max_length=cakes.COMMENT_MAX_CHARACTERS)]
    image_url: Annotated[
        str,
        Meta(
            max_length=cakes.IMAGE_URL_MAX_CHARACTERS,
            description="An http or https URL of the picture, or of a page that names it as its `og:image`. "
            "Its fragment is dropped.",
        ),
    ]
    yum_factor: Annotated[
        int, Meta(ge=cakes.YUM_FACTOR_MIN, le=cakes.YUM_FACTOR_MAX, description="A whole number; `3.0` is one.")
    ]
    id: Annotated[int | str | None, Meta(description="Taken and ignored: the bakery gives out ids.")] = None


class ChangedCake(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a PUT says. The picture stays: a new picture is a new submission."""

    name: Annotated[str, Meta(min_length=cakes.NAME_MIN_CHARACTERS, max_length=cakes.NAME_MAX_CHARACTERS)]
    comment: Annotated[str, Meta(min_length=cakes.COMMENT_MIN_CHARACTERS, max_length=cakes.COMMENT_MAX_CHARACTERS)]
    yum_factor: Annotated[int, Meta(ge=cakes.YUM_FACTOR_MIN, le=cakes.YUM_FACTOR_MAX)]
    image_url: Annotated[
        str | None, Meta(description="May be left out; where it is given it must be the cake's present one.")
    ] = None
    id: Annotated[int | str | None, Meta(description="Taken and ignored.")] = None


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which model judged."""

    name: str
    version: str
    sha256: Annotated[str, Meta(description="Of its file, in hexadecimal.")]


class Label(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing that a picture may show."""

    name: Annotated[str, Meta(examples=["cake", "ice cream"])]
    score: Annotated[float, Meta(ge=0, le=1, description="How likely the model thinks it.")]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the model said of the picture."""

    score: Annotated[float, Meta(ge=0, le=1, description="How sure it is that the picture shows a cake.")]
    decision: verdicts.Decision
    accept_threshold: Annotated[float, Meta(description="From this score up it is a cake.")]
    review_threshold: Annotated[float, Meta(description="Below this score it is none; between them a person decides.")]
    labels: Annotated[
        list[Label],
        Meta(
            description="`cake` with the score, then up to three kinds of cakes and other things, likeliest first, "
            "by the model's own names. Empty where it was judged before labels were kept."
        ),
    ]
    model: Model


class Submission(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where a submission is. Members that have nothing to say are left out."""

    id: UUID
    state: submissions.State
    created_at: datetime
    updated_at: datetime
    links: Annotated[
        dict[str, str], Meta(description="`self`, and `cake` once it is created and for as long as it is not deleted.")
    ]
    reason: Annotated[
        str | None,
        Meta(
            description="Why it was rejected, failed, or waits for a person: in `review`, `doubtful`, or `too-small`, "
            "`blank` or `blurred` of a picture that cannot be judged.",
        ),
    ] = None
    detail: Annotated[str | None, Meta(description="For people: why it is in `review`.")] = None
    image_problem: Annotated[
        submissions.UnusableReason | None, Meta(description="What was wrong, where the picture could not be used.")
    ] = None
    verdict: Verdict | None = None
    cake: Annotated[dict[str, Any] | None, Meta(description="The cake as it was created.")] = None
    deleted_at: datetime | None = None


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field; an empty name means the whole body."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename={"image_problem": "imageProblem"}, omit_defaults=True):
    """An error (RFC 9457). `type` is stable; `detail` is for people."""

    type: Annotated[str, Meta(description="A URI that names the kind of problem; docs/api.md explains each.")]
    title: str
    status: int
    detail: str
    instance: Annotated[str, Meta(description="The path that was asked for.")]
    request_id: Annotated[str, Meta(description="As in the header X-Request-Id, and in our logs.")]
    errors: Annotated[list[Complaint] | None, Meta(description="Each field that is not what it may be.")] = None
    reason: Annotated[str | None, Meta(description="As in the submission.")] = None
    image_problem: submissions.UnusableReason | None = None
    verdict: Verdict | None = None
    submission: Annotated[str | None, Meta(description="The submission's address.")] = None
