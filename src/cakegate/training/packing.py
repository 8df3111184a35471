"""From a trained network to a model pack: ONNX, thresholds, a card that says what it reaches and what it cannot do."""

import hashlib
from pathlib import Path

import numpy as np
import torch

from cakegate.adapters import detector
from cakegate.domain import verdicts
from cakegate.training import data, fitting, limits, network, scoring
from cakegate.training.config import Config

#: Of pictures of shops it never saw: at most this share of non-cakes is accepted unseen by a person …
ACCEPT_FALSE_ALARMS = 0.05
#: … and this share of cakes is kept out of the rejected.
REVIEW_RECALL = 0.95

#: A figure on fewer pictures of a label says nothing.
_FEWEST = 20

RULE = (
    f"accept: the lowest score at which at most {ACCEPT_FALSE_ALARMS:.0%} of the validation sources' other pictures "
    f"score as high; review: the highest score that {REVIEW_RECALL:.0%} of their cakes reach"
)


def write(
    folder: Path, net: network.Network, *, pictures: data.Pictures, split: data.Split, config: Config, notes: list[str]
) -> detector.Card:
    """Write `model.onnx` and `card.json` into a folder and return the card."""
    net = net.cpu()
    raw = fitting.logits(net, pictures, split.validation, config)
    labels = pictures.labels[split.validation]
    warmth = fitting.temperature(labels, raw)
    scores = _sigmoid(raw / warmth)
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / detector.MODEL_FILE
    _export(network.Exported(net, temperature=warmth).eval(), model, side_pixels=config.side_pixels)
    apart = _sigmoid(fitting.logits(net, pictures, split.apart, config) / warmth)
    accept = max(
        scoring.threshold_at(labels, scores, false_alarms=ACCEPT_FALSE_ALARMS),
        review := scoring.threshold_keeping(labels, scores, recall=REVIEW_RECALL),
    )
    thresholds = verdicts.Thresholds(accept=round(accept, 4), review=round(review, 4))
    kinds = [
        pictures.kind_names[kind].partition(":")[2] if kind >= 0 else "" for kind in pictures.kinds[split.validation]
    ]
    metrics = {split.validated_on: scoring.figures(labels, scores)}
    for archive in sorted({pictures.archives[place] for place in split.apart}):
        chosen = np.array([pictures.archives[place] == archive for place in split.apart])
        part = pictures.labels[split.apart][chosen]
        if min(part.sum(), len(part) - part.sum()) >= _FEWEST:
            metrics[f"kept-out pictures of {archive}"] = scoring.figures(part, apart[chosen])
    card = detector.Card(
        name=config.name,
        version=config.version,
        labels=["cake"],
        input=verdicts.ModelInput(side_pixels=config.side_pixels, fit=verdicts.Fit.STRETCH),
        thresholds=thresholds,
        threshold_rule=RULE,
        temperature=round(warmth, 4),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        training_data=notes,
        held_out_sources=split.held_out_sources,
        metrics={name: {k: round(v, 4) for k, v in _plain(found).items()} for name, found in metrics.items()},
        limits=limits.stated(labels, scores, kinds=kinds, thresholds=thresholds)
        + ([] if split.held_out_sources else [limits.FLATTERED]),
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
    )
    (folder / detector.CARD_FILE).write_bytes(detector.encode_card(card))
    return card


def _plain(figures: scoring.Figures) -> dict[str, float]:
    return {name: float(getattr(figures, name)) for name in figures.__struct_fields__}


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-values.astype(np.float64))))


def _export(model: network.Exported, path: Path, *, side_pixels: int) -> None:
    example = torch.zeros((1, side_pixels, side_pixels, 3), dtype=torch.uint8)
    torch.onnx.export(
        model,
        (example,),
        str(path),
        input_names=["pixels"],
        output_names=["score"],
        dynamic_axes={"pixels": {0: "n"}, "score": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
