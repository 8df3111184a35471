"""Everything that can go wrong, as one tree.

::

    CakegateError
    ├── InvalidSettings               a variable has a value that cannot be used
    ├── InvalidPack                   a model pack that cannot be trusted
    ├── InvalidCake                   what a client sent is not a cake we can take (each field's complaint)
    ├── PictureChanged                a PUT tried to exchange the picture
    ├── BadRequest                    what a client sent cannot be taken, before it is a matter of cakes
    │   ├── BadParameter              a query parameter or header (each one's complaint)
    │   ├── BodyBroken                not JSON
    │   ├── BodyTooLarge
    │   ├── BodyTooSlow
    │   ├── HeadersTooLarge
    │   ├── AddressTooLong            the request's own
    │   ├── MediaTypeUnknown          not JSON by its own words
    │   ├── NotAcceptable             it wants what we do not have
    │   └── RateLimited               it comes too often
    ├── NotFound
    │   ├── CakeNotFound
    │   ├── SubmissionNotFound
    │   ├── SampleNotFound            it was not sampled
    │   ├── RenditionNotFound
    │   └── PageNotFound
    ├── IdempotencyMismatch           the key was used before with another body
    ├── IllegalTransition             the state table does not allow it: a bug, or a person too late
    ├── LeaseLost                     somebody else owns the submission now: stop at once
    ├── PictureError                  one picture's trouble
    │   ├── PictureNotAllowed         its address is not one we fetch            (final)
    │   ├── PictureGone               404 or 410                                 (final)
    │   ├── PictureTooLarge           bytes, pixels or frames                    (final)
    │   ├── PictureNotAnImage         not a picture, or a broken one             (final)
    │   ├── PictureUnreachable        its host is in trouble                     (tried again)
    │   └── DecoderDied               the child died holding it                  (tried again, then poison)
    ├── UpstreamError                 the legacy API's trouble
    │   ├── UpstreamUnreachable       nothing was sent: it could not be connected to
    │   ├── UpstreamBusy              408, 425, 429: later
    │   ├── UpstreamRefused           any other 4xx: it did not and will not
    │   ├── UpstreamLate              nothing was sent: the deadline for sending was past
    │   ├── UpstreamBroken            a read got 3xx, 5xx, garbage or a broken connection
    │   ├── UpstreamSlow              a read got no answer in time
    │   └── UpstreamUncertain         a write was sent, and no answer came that can be believed
    └── Unavailable                   our own trouble: try again later
        ├── DatabaseUnavailable
        │   └── DatabaseBusy          more wait for a connection than may
        ├── QueueUnavailable
        ├── Overloaded                more waits than we promise to hold
        └── OutcomeUnknown            a COMMIT whose answer never came

`gateway/problems.py` turns them into problem+json, `worker/` into retry or reject. Messages may name what a client
sent; they never hold a secret. `PictureError.detail` is for the log and the record, never for the client: a client
learns only the coarse `UnusableReason`, so that the service is no port scanner.
"""

from collections.abc import Mapping
from uuid import UUID


class CakegateError(Exception):
    """The root of all errors that Cakegate raises on purpose."""


class InvalidSettings(CakegateError):
    """A variable has a value that cannot be used; the message names the variable, never a secret's value."""


class InvalidPack(CakegateError):
    """A model pack is missing, broken or not what its card says."""


class InvalidCake(CakegateError):
    """What a client sent is not a cake we can take: `fields` maps each field (JSON name) to its complaint."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {text}" for name, text in self.fields.items()))


class PictureChanged(CakegateError):
    """A PUT tried to exchange a cake's picture; a new picture is a new submission."""


class BadRequest(CakegateError):
    """What a client sent cannot be taken, before it is a matter of cakes."""


class BadParameter(BadRequest):
    """A query parameter or a header is not what it may be: `fields` maps each name to its complaint."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {text}" for name, text in self.fields.items()))


class BodyBroken(BadRequest):
    """The body is not JSON."""


class BodyTooLarge(BadRequest):
    """The body has more bytes than we read."""


class BodyTooSlow(BadRequest):
    """The body did not come in time."""


class HeadersTooLarge(BadRequest):
    """The headers have more bytes than we look at."""


class AddressTooLong(BadRequest):
    """The address that is asked for, its query included, has more bytes than we look at."""


class MediaTypeUnknown(BadRequest):
    """The body is, by its own words, no JSON."""


class NotAcceptable(BadRequest):
    """The client accepts none of the forms that we have."""


class RateLimited(BadRequest):
    """The client sends more requests than one may. `retry_after_seconds` says when to come back."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class NotFound(CakegateError):
    """There is no such thing."""


class CakeNotFound(NotFound):
    """The legacy API has no cake of this id."""

    def __init__(self, cake_id: str) -> None:
        self.cake_id = cake_id
        super().__init__(f"There is no cake {cake_id!r}.")


class SubmissionNotFound(NotFound):
    """There is no submission of this id."""

    def __init__(self, submission_id: UUID | str) -> None:
        self.submission_id = str(submission_id)
        super().__init__(f"There is no submission {self.submission_id!r}.")


class SampleNotFound(NotFound):
    """This submission is not among those that people are shown to see errors."""

    def __init__(self, submission_id: UUID | str) -> None:
        self.submission_id = str(submission_id)
        super().__init__(f"Submission {self.submission_id} was not sampled: there is nothing to be said of it.")


class RenditionNotFound(NotFound):
    """Cakegate has no rendition of this cake's picture."""


class PageNotFound(NotFound):
    """No page or file of the documentation has this name."""


class IdempotencyMismatch(CakegateError):
    """The Idempotency-Key was used before with another body."""


class IllegalTransition(CakegateError):
    """The state table does not allow this change."""


class LeaseLost(CakegateError):
    """The submission is no longer in the state, or under the lease, that this change expected: stop at once."""

    def __init__(self, submission_id: UUID) -> None:
        self.submission_id = submission_id
        super().__init__(f"The lease on submission {submission_id} is lost.")


class PictureError(CakegateError):
    """One picture's trouble. `detail` is for logs and the record only."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class PictureNotAllowed(PictureError):
    """The picture's address, or one it redirects to, is not one we fetch from."""


class PictureGone(PictureError):
    """The picture's host answers 404 or 410."""


class PictureTooLarge(PictureError):
    """More bytes, pixels or frames than allowed."""


class PictureNotAnImage(PictureError):
    """Not a picture of an allowed format, or a broken one."""


class PictureUnreachable(PictureError):
    """The picture's host is in trouble (timeout, refused connection, 429, 5xx); worth another try."""


class DecoderDied(PictureError):
    """The decoding child died while it held this picture."""


class UpstreamError(CakegateError):
    """The legacy API's trouble. `status` is its HTTP status where it gave one."""

    def __init__(self, detail: str, *, status: int | None = None) -> None:
        self.detail = detail
        self.status = status
        super().__init__(detail)


class UpstreamUnreachable(UpstreamError):
    """It could not be connected to: nothing was sent."""


class UpstreamBusy(UpstreamError):
    """It said 408, 425 or 429: nothing was done, try later. `retry_after_seconds` is what it asked for, if it did."""

    def __init__(self, detail: str, *, status: int, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail, status=status)


class UpstreamRefused(UpstreamError):
    """It said 4xx: nothing was done and trying again will not help."""


class UpstreamLate(UpstreamError):
    """It was too late to send: nothing was."""


class UpstreamBroken(UpstreamError):
    """A read got an answer that cannot be used: 3xx, 5xx, garbage, too much, or a connection that broke."""


class UpstreamSlow(UpstreamError):
    """A read got no answer in time."""


class UpstreamUncertain(UpstreamError):
    """A write went out and no answer came that can be believed: timeout, reset, 3xx, 5xx or garbage."""


class Unavailable(CakegateError):
    """Our own trouble. `retry_after_seconds` says when to come back."""

    def __init__(self, message: str, *, retry_after_seconds: int = 5) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class DatabaseUnavailable(Unavailable):
    """Postgres cannot be reached or has no connection left for us.

    `outcome_unknown` is true when the connection broke after a statement was sent: it may have been carried out.
    """

    def __init__(self, message: str, *, outcome_unknown: bool = False, retry_after_seconds: int = 5) -> None:
        self.outcome_unknown = outcome_unknown
        super().__init__(message, retry_after_seconds=retry_after_seconds)


class DatabaseBusy(DatabaseUnavailable):
    """More requests wait for a connection to Postgres than may: nothing was sent."""


class QueueUnavailable(Unavailable):
    """Redis cannot be reached or took too long."""


class Overloaded(Unavailable):
    """More work waits than we promise to hold."""


class OutcomeUnknown(Unavailable):
    """A COMMIT was sent and its answer never came: the submission may or may not exist."""

    def __init__(self, submission_id: UUID, *, retry_after_seconds: int = 5) -> None:
        self.submission_id = submission_id
        super().__init__(
            "The database did not confirm the submission; ask at its address, or repeat with the same Idempotency-Key.",
            retry_after_seconds=retry_after_seconds,
        )
