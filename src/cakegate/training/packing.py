"""From a trained network to a model pack: ONNX, thresholds, a card that says what it reaches and what it cannot do."""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from PIL import Image

from cakegate.adapters import detector
from cakegate.domain import verdicts
from cakegate.training import data, fitting, kinds, limits, network, perturbing, scoring
from cakegate.training.config import Config

#: Of pictures of shops it never saw: at most this share of non-cakes is accepted unseen by a person …
ACCEPT_FALSE_ALARMS = 0.05
#: … and this share of cakes is kept out of the rejected.
REVIEW_RECALL = 0.95

#: What the names of a card's figures on one kind begin with.
KIND = "kind: "
#: What the card calls how far scores move when validation pictures are re-encoded and rescaled.
PERTURBED = "re-encoded and rescaled"
_PERTURBED_MOST = 300
_NETWORK = "network."
#: A figure on fewer pictures of a label says nothing.
_FEWEST = 20

RULE = (
    f"accept: the lowest score at which at most {ACCEPT_FALSE_ALARMS:.0%} of the validation sources' other pictures "
    f"score as high; review: the highest score that {REVIEW_RECALL:.0%} of their cakes reach"
)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pictures lie, and the card's lines about them."""

    folder: Path
    notes: list[str]


def write(
    folder: Path, net: network.Network, *, pictures: data.Pictures, split: data.Split, config: Config, source: Source
) -> detector.Card:
    """Write `model.onnx` and `card.json` into a folder and return the card.

    Validation pictures are read again and made as large as a worker makes them: the card says what is to be had.
    """
    told, matrix, of_cakes = kinds.merging(pictures, things=config.things)
    exported = network.Exported(
        net.cpu(),
        temperature=1.0,
        flip_averaged=config.flip_averaged,
        merging=torch.from_numpy(matrix),
        of_cakes=torch.from_numpy(of_cakes),
    ).eval()
    validation, apart = (_as_judged(pictures, index, config, source) for index in (split.validation, split.apart))
    raw = _logits(exported, validation)
    exported.temperature = fitting.temperature(validation.labels, raw)
    scores = _sigmoid(raw / exported.temperature)
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / detector.MODEL_FILE
    _export(exported, model, side_pixels=config.side_pixels, outputs=["score", "kinds"] if told else ["score"])
    thresholds = _thresholds(validation.labels, scores)
    card = detector.Card(
        name=config.name,
        version=config.version,
        labels=[detector.CAKE, *told],
        input=verdicts.ModelInput(side_pixels=config.side_pixels, fit=verdicts.Fit.STRETCH),
        thresholds=thresholds,
        threshold_rule=RULE,
        temperature=round(exported.temperature, 4),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        training_data=source.notes,
        held_out_sources=split.held_out_sources,
        metrics=_measured(validation, scores, split, thresholds)
        | _apart(apart, _sigmoid(_logits(exported, apart) / exported.temperature)),
        limits=limits.stated(validation.labels, scores, kinds=validation.told, thresholds=thresholds)
        + ([] if split.held_out_sources else [limits.FLATTERED]),
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        histogram={
            name: scoring.histogram(scores[validation.labels == label], bins=detector.HISTOGRAM_BINS)
            for name, label in data.LABELS.items()
        },
    )
    return _written(folder, card, _some(validation, source.folder))


def _written(folder: Path, card: detector.Card, some: Iterator[Image.Image]) -> detector.Card:
    """The card written, and again with what is seen of the pack once it can be loaded as a worker loads it."""
    (folder / detector.CARD_FILE).write_bytes(detector.encode_card(card))
    moved = _plain(perturbing.measure(detector.Detector.load(folder), some))
    card = msgspec.structs.replace(card, metrics=card.metrics | {PERTURBED: moved})
    (folder / detector.CARD_FILE).write_bytes(detector.encode_card(card))
    return card


def _some(validation: data.Pictures, folder: Path) -> Iterator[Image.Image]:
    """Validation pictures in their own size, evenly spread."""
    keys = list(zip(validation.archives, validation.files, strict=True))
    wanted = set(keys[:: max(1, -(-len(keys) // _PERTURBED_MOST))])
    return (data.decode(row.content) for row in data.read(folder) if (row.archive, row.file) in wanted)


def _as_judged(pictures: data.Pictures, index: np.ndarray, config: Config, source: Source) -> data.Pictures:
    only = {(pictures.archives[place], pictures.files[place]) for place in index}
    return data.load(source.folder, side_pixels=config.side_pixels, only=only)


@torch.no_grad()
def _logits(exported: network.Exported, pictures: data.Pictures) -> np.ndarray:
    """Cake logits (n,), before the temperature, of pictures of the pack's own size."""
    parts = [
        exported.logits(torch.from_numpy(pictures.pixels[start : start + 128].copy()))[0].numpy()
        for start in range(0, len(pictures.labels), 128)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _thresholds(labels: np.ndarray, scores: np.ndarray) -> verdicts.Thresholds:
    review = scoring.threshold_keeping(labels, scores, recall=REVIEW_RECALL)
    accept = max(scoring.threshold_at(labels, scores, false_alarms=ACCEPT_FALSE_ALARMS), review)
    return verdicts.Thresholds(accept=round(accept, 4), review=round(review, 4))


def _measured(
    validation: data.Pictures, scores: np.ndarray, split: data.Split, thresholds: verdicts.Thresholds
) -> dict[str, dict[str, float]]:
    """Figures of validation, and of each of its kinds."""
    sources = validation.sources if split.held_out_sources else None
    by_kind = scoring.by_kind(validation.labels, scores, kinds=validation.told, thresholds=thresholds)
    return {split.validated_on: _plain(scoring.figures(validation.labels, scores, sources=sources))} | {
        f"{KIND}{name}": _plain(found) for name, found in by_kind.items()
    }


def _apart(pictures: data.Pictures, scores: np.ndarray) -> dict[str, dict[str, float]]:
    """Figures of each archive whose pictures were kept out one by one, where it has enough of both labels."""
    found = {}
    for archive in sorted(set(pictures.archives)):
        chosen = np.array([name == archive for name in pictures.archives])
        labels = pictures.labels[chosen]
        if min(labels.sum(), len(labels) - labels.sum()) >= _FEWEST:
            found[f"kept-out pictures of {archive}"] = _plain(scoring.figures(labels, scores[chosen]))
    return found


def _plain(figures: scoring.Figures | scoring.OfKind | perturbing.Perturbed) -> dict[str, float]:
    values = {name: float(getattr(figures, name)) for name in figures.__struct_fields__}
    return {name: round(value, 4) for name, value in values.items() if not math.isnan(value)}


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-values.astype(np.float64))))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """A pack's network as its state, by the names that `network.Network` gives them.

    Raises:
        InvalidPack: the folder holds no pack.
    """
    detector.Detector.load(folder)
    graph = onnx.load(folder / detector.MODEL_FILE).graph
    held = {each.name: torch.from_numpy(onnx.numpy_helper.to_array(each).copy()) for each in graph.initializer}
    # Arrays that are equal are written once: the two biases that a block adds up always are.
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in held:
            held[node.output[0]] = held[node.input[0]].clone()
    return {name.removeprefix(_NETWORK): value for name, value in held.items() if name.startswith(_NETWORK)}


def _export(model: network.Exported, path: Path, *, side_pixels: int, outputs: list[str]) -> None:
    example = torch.zeros((1, side_pixels, side_pixels, 3), dtype=torch.uint8)
    torch.onnx.export(
        model,
        (example,),
        str(path),
        input_names=["pixels"],
        output_names=outputs,
        dynamic_axes={name: {0: "n"} for name in ("pixels", *outputs)},
        opset_version=17,
        dynamo=False,
        # Batch normalisation stays apart from the convolutions, and weights keep their names, so that another run can
        # begin from a pack (`weights`). The runtime folds them together when it loads the model.
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
