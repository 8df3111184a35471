"""Tiny ONNX models written by hand, field by field of the format's protobuf: honest ones, and ones no pack may hold."""

import hashlib
import struct

import msgspec

from cakegate.adapters import detector
from cakegate.domain import verdicts

SIDE_PIXELS = 4
FLOAT, UINT8, INT64, BOOL = 1, 2, 7, 9


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


def _numbers(name, values):
    """A constant (1, n) of floats."""
    content = struct.pack(f"<{len(values)}f", *values)
    return _message((1, 1), (1, len(values)), (2, FLOAT), (8, name), (9, content))


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
    kinds=(),
):
    """sigmoid(weight * mean of the pixels), and ways to get it wrong; `kinds` are what it gives for any picture."""
    nodes = [
        _node("Cast", [pixels], "floats", _whole("to", FLOAT)),
        _node("ReduceMean", ["floats"], "mean", _wholes("axes", [1, 2, 3]), _whole("keepdims", 0)),
        _node("Mul", ["mean", "weight"], "logit"),
        _node("Sigmoid" if squashed else "Identity", ["logit"], "one"),
        _node("Concat", ["one", "one"] if doubled else ["one"], score, _whole("axis", 0)),
    ]
    graph = [
        *((1, node) for node in nodes),
        (2, "made"),
        (5, _weight(weight, external)),
        (11, _tensor_type(pixels, element, shape)),
        (12, _tensor_type(score, FLOAT, ["m"])),
    ]
    if kinds:
        graph.insert(0, (1, _node("Identity", ["constant"], "kinds")))
        graph += [(5, _numbers("constant", kinds)), (12, _tensor_type("kinds", FLOAT, ["m", len(kinds)]))]
    return _whole_model(graph)


def _whole_model(graph):
    return _message((1, 8), (7, _message(*graph)), (8, _message((1, ""), (2, 17))))


def endless_model():
    """One that is right in all but its time: it adds to its score, nine quintillion times."""
    body = _message(
        (1, _node("Add", ["so_far", "so_far"], "further")),
        (1, _node("Identity", ["go_on"], "still")),
        (2, "body"),
        (11, _tensor_type("turn", INT64, [])),
        (11, _tensor_type("go_on", BOOL, [])),
        (11, _tensor_type("so_far", FLOAT, ["m"])),
        (12, _tensor_type("still", BOOL, [])),
        (12, _tensor_type("further", FLOAT, ["m"])),
    )
    forever = _message((2, INT64), (8, "forever"), (9, struct.pack("<q", 2**63 - 1)))
    truth = _message((2, BOOL), (8, "truth"), (9, b"\x01"))
    graph = [
        (1, _node("Cast", ["pixels"], "floats", _whole("to", FLOAT))),
        (1, _node("ReduceMean", ["floats"], "mean", _wholes("axes", [1, 2, 3]), _whole("keepdims", 0))),
        (1, _node("Loop", ["forever", "truth", "mean"], "sum", _message((1, "body"), (6, body), (20, 5)))),
        (1, _node("Sigmoid", ["sum"], "score")),
        (2, "endless"),
        (5, forever),
        (5, truth),
        (11, _tensor_type("pixels", UINT8, ("n", SIDE_PIXELS, SIDE_PIXELS, 3))),
        (12, _tensor_type("score", FLOAT, ["m"])),
    ]
    return _whole_model(graph)


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
