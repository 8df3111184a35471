"""Figures of a detector, against values worked out by hand."""

import numpy as np

from cakegate.training import scoring

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SCORES = np.array([0.1, 0.2, 0.3, 0.8, 0.4, 0.6, 0.9, 0.95])


def test_auc_counts_pairs_in_order():
    assert 14 / 16 == scoring.auc(LABELS, SCORES)


def test_auc_counts_ties_half():
    assert 0.5 == scoring.auc(np.array([0, 1]), np.array([0.5, 0.5]))


def test_recall_at_a_share_of_false_alarms():
    assert 0.5 == scoring.recall_at(LABELS, SCORES, false_alarms=0.0)
    assert 1.0 == scoring.recall_at(LABELS, SCORES, false_alarms=0.25)


def test_the_threshold_that_keeps_a_recall():
    assert 0.4 == scoring.threshold_keeping(LABELS, SCORES, recall=1.0)
    assert 0.9 == scoring.threshold_keeping(LABELS, SCORES, recall=0.5)


def test_a_perfectly_calibrated_model_has_no_error():
    assert 0.0 == scoring.calibration_error(np.array([0, 1]), np.array([0.0, 1.0]))
    assert 0.5 == scoring.calibration_error(np.array([1, 1]), np.array([0.5, 0.5]))
