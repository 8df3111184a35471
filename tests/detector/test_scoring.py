"""Figures of a detector, against values worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from cakegate.domain import verdicts
from cakegate.training import curves, scoring

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


def test_the_interval_over_sources_is_wider_where_a_sources_pictures_are_alike():
    generator = np.random.default_rng(5)
    labels = np.tile([0, 1], 300)
    sources = [f"site {place // 30}" for place in range(600)]
    scores = labels * np.repeat(generator.normal(0.5, 1, 20), 30) + generator.normal(0, 0.5, 600)
    found = scoring.figures(labels, scores, sources=sources)
    assert found.auc_low < found.auc < found.auc_high
    assert found.auc_high_over_sources - found.auc_low_over_sources > found.auc_high - found.auc_low


def test_no_interval_over_one_source():
    assert math.isnan(scoring.figures(LABELS, SCORES, sources=["one"] * 8).auc_low_over_sources)


def test_a_kind_is_told_from_all_pictures_of_the_other_label():
    kinds = ["pie", "pie", "", "bread", "cupcake", "cupcake", "slice", ""]
    limits = verdicts.Thresholds(accept=0.7, review=0.35)
    found = scoring.by_kind(LABELS, SCORES, kinds=kinds, thresholds=limits, fewest=2)
    assert ["cupcake", "pie"] == list(found)
    assert scoring.OfKind(pictures=2, cakes=2, auc=6 / 8, accepted=0.0, rejected=0.0) == found["cupcake"]
    assert scoring.OfKind(pictures=2, cakes=0, auc=1.0, accepted=0.0, rejected=1.0) == found["pie"]


def test_a_kind_of_both_labels_is_two():
    limits = verdicts.Thresholds(accept=0.7, review=0.35)
    found = scoring.by_kind(LABELS, SCORES, kinds=["photo"] * 8, thresholds=limits, fewest=2)
    assert {"photo": 4, "photo (not cake)": 0} == {name: of_kind.cakes for name, of_kind in found.items()}


def test_a_score_of_one_is_in_the_last_bin():
    assert [1, 0, 1, 2] == scoring.histogram(np.array([0.0, 0.5, 0.75, 1.0]), bins=4)


def test_the_area_below_the_roc_curve_is_the_auc():
    for labels, scores in ((LABELS, SCORES), (LABELS, np.round(SCORES)), (LABELS, SCORES * 0)):
        points = curves.roc(labels, scores)
        area = sum((x - before) * (y + low) / 2 for (before, low), (x, y) in itertools.pairwise(points))
        assert ((0.0, 0.0), (1.0, 1.0)) == (points[0], points[-1])
        assert scoring.auc(labels, scores) == pytest.approx(area)


def test_precision_falls_to_the_share_of_cakes():
    points = curves.precision_recall(LABELS, SCORES)
    assert ((0.25, 1.0), (1.0, 0.5)) == (points[0], points[-1])


def test_a_bin_of_the_calibration_curve_is_its_mean_score_and_share_of_cakes():
    assert [(0.2, 0.0), (0.9, 0.5)] == curves.reliability(np.array([0, 0, 1]), np.array([0.2, 0.9, 0.9]), bins=2)
