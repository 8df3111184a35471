"""By which thresholds a process judges: the card's, the settings', and what it says where they do not fit together."""

import pytest
import structlog.testing

from cakegate import settings
from cakegate.adapters import detector
from cakegate.domain import errors
from cakegate.worker import judging


@pytest.fixture(scope="module")
def card():
    return judging.load_detector(settings.Detector()).card.thresholds


def test_by_default_the_cards_thresholds_hold(card):
    assert card == judging.load_detector(settings.Detector()).thresholds


def test_a_band_of_nothing_leaves_nothing_to_people(card):
    found = judging.load_detector(settings.Detector(review_band=0.0)).thresholds

    assert (card.accept, card.accept) == (found.accept, found.review)


def test_a_threshold_that_is_set_wins_and_the_band_is_of_what_results():
    found = judging.load_detector(settings.Detector(accept_threshold=0.8, review_threshold=0.4, review_band=0.5))

    assert pytest.approx((0.8, 0.6)) == (found.thresholds.accept, found.thresholds.review)


def test_a_review_threshold_above_the_cards_accept_threshold_ends_the_start_with_a_message(card):
    with pytest.raises(errors.InvalidSettings, match="CAKEGATE_DETECTOR_REVIEW_THRESHOLD: the review threshold 1 is"):
        judging.load_detector(settings.Detector(review_threshold=1.0))
    assert card.accept < 1


def test_which_thresholds_are_in_force_is_said_at_the_start(card):
    with structlog.testing.capture_logs() as said:
        loaded = judging.load_detector(settings.Detector(accept_threshold=1.0, review_band=0.0))

    (line,) = [each for each in said if each["event"] == "model.loaded"]
    assert ("primary", loaded.model.sha256, 1.0, 1.0) == (
        line["role"],
        line["sha256"],
        line["accept"],
        line["review"],
    )
    assert detector.starter_pack().name in line["place"]
