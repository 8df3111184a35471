"""What each kind of trouble with a picture means for its submission: one table, and the arithmetic of trying again."""

import random
from datetime import UTC, datetime
from typing import Final

import msgspec

from cakegate import settings
from cakegate.domain import errors, submissions
from cakegate.domain.submissions import Reason, State

#: Final facts about a picture.
_FINAL: Final[dict[type[errors.PictureError], Reason]] = {
    errors.PictureNotAllowed: Reason.IMAGE_NOT_ALLOWED,
    errors.PictureGone: Reason.IMAGE_GONE,
    errors.PictureTooLarge: Reason.IMAGE_TOO_LARGE,
    errors.PictureNotAnImage: Reason.IMAGE_NOT_AN_IMAGE,
}


class End(msgspec.Struct, frozen=True, kw_only=True):
    """It ends here."""

    target: State
    reason: Reason


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """It is tried again after a pause; what is counted against it says the rest."""

    wait_seconds: float
    fetch_failed: bool = False
    decoder_died: bool = False


def of_picture(
    error: errors.PictureError,
    held: submissions.Submission,
    group: settings.Submissions,
    *,
    now: datetime | None = None,
) -> End | Again:
    """What follows from a picture's trouble, given what its submission has been through."""
    if isinstance(error, errors.DecoderDied):
        if held.decoder_deaths + 1 >= group.decoder_deaths:
            return End(target=State.FAILED, reason=Reason.POISON)
        return Again(wait_seconds=pause(held.decoder_deaths, group), decoder_died=True)
    if isinstance(error, errors.PictureUnreachable):
        began = held.first_fetch_at
        spent = ((now or datetime.now(UTC)) - began).total_seconds() if began else 0.0
        wait = pause(held.fetch_attempts, group)
        if held.fetch_attempts + 1 >= group.fetch_attempts or spent + wait > group.fetch_window_seconds:
            return End(target=State.FAILED, reason=Reason.IMAGE_UNREACHABLE)
        return Again(wait_seconds=wait, fetch_failed=True)
    return End(target=State.REJECTED, reason=_FINAL[type(error)])


def pause(attempts: int, group: settings.Submissions) -> float:
    """Seconds before the next try: doubling, capped, and spread by a quarter, lest a crowd come back as one."""
    plain = min(group.retry_max_seconds, group.retry_base_seconds * 2.0 ** min(attempts, 30))
    return plain * random.uniform(0.75, 1.25)  # noqa: S311 - spreading load, not secrecy


def create_pause(
    error: errors.UpstreamUnreachable | errors.UpstreamBusy, held: submissions.Submission, group: settings.Submissions
) -> float:
    """Seconds before a create that was not sent, or not taken, is tried again: what the upstream asks for, capped."""
    asked = error.retry_after_seconds if isinstance(error, errors.UpstreamBusy) else None
    return max(min(asked or 0.0, group.retry_max_seconds), pause(held.create_attempts - 1, group))
