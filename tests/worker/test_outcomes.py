"""What trouble means for a submission: the table and the arithmetic, without any service."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from cakegate import settings
from cakegate.domain import cakes, errors
from cakegate.domain.submissions import Reason, State, Submission
from cakegate.worker import outcomes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GROUP = settings.Submissions(
    retry_base_seconds=1, retry_max_seconds=10, fetch_attempts=5, fetch_window_seconds=600, decoder_deaths=3
)


def submission(**more):
    draft = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/x", yum_factor=3)
    plain = {"state": State.JUDGING, "reason": None, "detail": None, "created_at": NOW, "updated_at": NOW}
    return Submission(id=uuid.uuid4(), draft=draft, **{**plain, **more})


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (errors.PictureNotAllowed("x"), Reason.IMAGE_NOT_ALLOWED),
        (errors.PictureGone("x"), Reason.IMAGE_GONE),
        (errors.PictureTooLarge("x"), Reason.IMAGE_TOO_LARGE),
        (errors.PictureNotAnImage("x"), Reason.IMAGE_NOT_AN_IMAGE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_final_facts_reject_whatever_was_before(error, end):
    held = submission(fetch_attempts=3, decoder_deaths=2)

    assert outcomes.End(target=State.REJECTED, reason=end) == outcomes.of_picture(error, held, GROUP)


@pytest.mark.parametrize(
    ("error", "fetches", "deaths", "end"),
    [
        (errors.PictureUnreachable("x"), 3, 0, None),
        (errors.PictureUnreachable("x"), 4, 0, (State.FAILED, Reason.IMAGE_UNREACHABLE)),
        (errors.DecoderDied("x"), 0, 1, None),
        (errors.DecoderDied("x"), 0, 2, (State.FAILED, Reason.POISON)),
        (errors.DecoderDied("x"), 4, 1, None),
    ],
)
def test_attempts_run_out_by_kind(error, fetches, deaths, end):
    what = outcomes.of_picture(error, submission(fetch_attempts=fetches, decoder_deaths=deaths), GROUP)

    assert end == ((what.target, what.reason) if isinstance(what, outcomes.End) else None)


def test_each_kind_of_trouble_is_counted_as_what_it_is():
    unreachable = outcomes.of_picture(errors.PictureUnreachable("503"), submission(), GROUP)
    died = outcomes.of_picture(errors.DecoderDied("signal 9"), submission(), GROUP)

    assert (True, False) == (unreachable.fetch_failed, unreachable.decoder_died)
    assert (False, True) == (died.fetch_failed, died.decoder_died)


@pytest.mark.parametrize(("seconds_ago", "over"), [(0, False), (590, False), (600, True)])
def test_a_host_is_given_up_when_the_next_try_would_fall_outside_the_window(seconds_ago, over):
    held = submission(fetch_attempts=1, first_fetch_at=NOW - timedelta(seconds=seconds_ago))

    what = outcomes.of_picture(errors.PictureUnreachable("x"), held, GROUP, now=NOW)

    assert over is isinstance(what, outcomes.End)


def test_the_pause_doubles_up_to_its_cap():
    for attempts, expected in enumerate([1, 2, 4, 8, 10, 10]):
        assert 0.75 * expected <= outcomes.pause(attempts, GROUP) <= 1.25 * expected
    assert outcomes.pause(10_000, GROUP) <= 12.5


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 0.7, 1.3), (7.0, 7, 7), (1e300, 10, 10)])
def test_what_a_busy_upstream_asks_for_is_given_up_to_the_longest_pause(asked, least, most):
    error = errors.UpstreamBusy("429", status=429, retry_after_seconds=asked)

    assert least <= outcomes.create_pause(error, submission(create_attempts=1), GROUP) <= most


def test_an_upstream_that_cannot_be_reached_is_asked_again_with_backoff():
    error = errors.UpstreamUnreachable("refused")

    assert 3 <= outcomes.create_pause(error, submission(create_attempts=3), GROUP) <= 5
