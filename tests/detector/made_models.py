"""Tiny ONNX models written by hand, field by field of the format's protobuf: honest ones, and ones no pack may hold."""

import hashlib
import struct

import msgspec

from cakegate.adapters import detector
from cakegate.domain import verdicts

SIDE_PIXELS = 4
FLOAT, UINT8 = 1, 2


def _varint(number):
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _field(tag, value):
    if isinstance(value, int):
        return _varint(tag << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(tag << 3 | 2) + _varint(len(content)) + content


def _message(*fields):
    return b"".join(_field(tag, value) for tag, value in fields)


def _tensor_type(name, element, shape):
    dims = [(1, _message((2, side) if isinstance(side, str) else (1, side))) for side in shape]
    return _message((1, name), (2, _message((1, _message((1, element), (2, _message(*dims)))))))


def _node(operator, inputs, output, *attributes):
    names = [(1, name) for name in inputs]
    return _message(*names, (2, output), (4, operator), *((5, attribute) for attribute in attributes))


def _whole(name, value):
    return _message((1, name), (3, value), (20, 2))


def _wholes(name, values):
    return _message((1, name), *((8, value) for value in values), (20, 7))


def _weight(value, external):
    if external is None:
        return _message((1, 1), (2, FLOAT), (8, "weight"), (9, struct.pack("<f", value)))
    place = _message((1, "location"), (2, external))
    return _message((1, 1), (2, FLOAT), (8, "weight"), (13, place), (14, 1))


def model(
    *,
    weight=0.0,
    external=None,
    squashed=True,
    doubled=False,
    pixels="pixels",
    score="score",
    element=UINT8,
    shape=("n", SIDE_PIXELS, SIDE_PIXELS, 3),
):
    """sigmoid(weight * mean of the pixels), and ways to get it wrong."""
    nodes = [
        _node("Cast", [pixels], "floats", _whole("to", FLOAT)),
        _node("ReduceMean", ["floats"], "mean", _wholes("axes", [1, 2, 3]), _whole("keepdims", 0)),
        _node("Mul", ["mean", "weight"], "logit"),
        _node("Sigmoid" if squashed else "Identity", ["logit"], "one"),
        _node("Concat", ["one", "one"] if doubled else ["one"], score, _whole("axis", 0)),
    ]
    graph = _message(
        *((1, node) for node in nodes),
        (2, "made"),
        (5, _weight(weight, external)),
        (11, _tensor_type(pixels, element, shape)),
        (12, _tensor_type(score, FLOAT, ["m"])),
    )
    return _message((1, 8), (7, graph), (8, _message((1, ""), (2, 17))))


def write_pack(folder, content, **changes):
    """A pack around a model, its card true to it but for `changes`."""
    card = detector.Card(
        name="made",
        version="1",
        labels=["cake"],
        input=verdicts.ModelInput(side_pixels=SIDE_PIXELS, fit=verdicts.Fit.STRETCH),
        thresholds=verdicts.Thresholds(accept=0.9, review=0.5),
        threshold_rule="by hand",
        temperature=1.0,
        parameters=1,
        training_data=[],
        held_out_sources=[],
        metrics={},
        limits=[],
        sha256=hashlib.sha256(content).hexdigest(),
    )
    folder.mkdir(exist_ok=True)
    (folder / detector.MODEL_FILE).write_bytes(content)
    (folder / detector.CARD_FILE).write_bytes(detector.encode_card(msgspec.structs.replace(card, **changes)))
    return folder
