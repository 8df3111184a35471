"""The model: a pack is loaded once, checked before it is trusted, and asked for a score. The home of onnxruntime.

A pack is a folder of two files:

- `model.onnx`: input `pixels` (n, side, side, 3) uint8 RGB; output `score` (n,) probability that it shows a cake, and
  perhaps `kinds` (n, k), probabilities of k kinds of cakes and other things that the card names. Scaling and
  calibration are inside the graph, so that no caller can get them wrong.
- `card.json`: a `Card`.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
import onnxruntime

from cakegate.domain import errors, verdicts

MODEL_FILE = "model.onnx"
CARD_FILE = "card.json"
CARD_MAX_BYTES = 1024 * 1024
#: Far above any network that is quick enough here; a larger file is a mistake or an attack on memory.
MODEL_MAX_BYTES = 64 * 1024 * 1024
#: A pack's files, and the most bytes of each.
FILES: Final[Mapping[str, int]] = {MODEL_FILE: MODEL_MAX_BYTES, CARD_FILE: CARD_MAX_BYTES}
SIDE_MAX_PIXELS = 1024
CAKE, NOT_CAKE = "cake", "not_cake"
HISTOGRAM_BINS = 20
#: A verdict names at most this many kinds, and none less likely than this.
KINDS_NAMED = 3
KIND_LEAST_SCORE = 0.05
#: The probe's pictures: a model that needs longer for one would hold up every worker. Good ones take milliseconds.
PROBE_SECONDS = 20.0

# Warnings of the runtime about its own graph rewriting are no news to an operator. 3: errors only.
onnxruntime.set_default_logger_severity(3)
onnxruntime.disable_telemetry_events()


_NO_KINDS = np.zeros(0, dtype=np.float32)


#: What goes into metrics, records and answers with each verdict.
Name = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a pack says of itself. `metrics` holds figures by the split they were measured on.

    `labels`: "cake", then the names of the k kinds, where the model tells kinds. `histogram`: of the validation
    pictures of "cake" and of "not_cake", how many scored in each of `HISTOGRAM_BINS` equal bins from 0 to 1 (a score
    of 1 in the last); empty: not known.
    """

    name: Name
    version: Name
    labels: list[Name]
    input: verdicts.ModelInput
    thresholds: verdicts.Thresholds
    threshold_rule: str
    temperature: float
    parameters: int
    training_data: list[str]
    held_out_sources: list[str]
    metrics: dict[str, dict[str, float]]
    limits: list[str]
    sha256: str
    histogram: dict[str, list[int]] = {}


def encode_card(card: Card) -> bytes:
    """A card as card.json holds it."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n"


def starter_pack() -> Path:
    """The folder of the pack that is shipped."""
    return Path(__file__).parents[1] / "packs" / "starter"


class Detector:
    """A loaded model. `judge` blocks and releases the GIL while it computes; it may be called from many threads."""

    def __init__(
        self, card: Card, session: onnxruntime.InferenceSession, thresholds: verdicts.Thresholds | None
    ) -> None:
        self.card = card
        self.thresholds = thresholds or card.thresholds
        self.model = verdicts.Model(name=card.name, version=card.version, sha256=card.sha256)
        self.model_input = card.input
        self._session = session

    @classmethod
    def load(
        cls, folder: Path, *, expected_sha256: str = "", thresholds: verdicts.Thresholds | None = None
    ) -> "Detector":
        """Load and check a pack; `thresholds` replace the card's.

        Raises:
            InvalidPack: it is missing, broken, too large, of another shape, or not what its card or the caller says.
        """
        card = _read_card(folder)
        content = _read_file(folder / MODEL_FILE, most_bytes=MODEL_MAX_BYTES)
        found = hashlib.sha256(content).hexdigest()
        # A card without a hash vouches for nothing: it is refused as one with a wrong hash is.
        for name, expected in (("its card says", card.sha256), ("the settings say", expected_sha256 or found)):
            if found != expected:
                raise errors.InvalidPack(f"{folder / MODEL_FILE} has SHA-256 {found}, but {name} {expected!r}")
        session = _session(content, folder)
        _check_shapes(session, card, folder)
        judge = cls(card, session, thresholds)
        judge._probe(folder)
        return judge

    def judge(self, rgb: bytes, *, most_seconds: float | None = None) -> verdicts.Verdict:
        """The verdict on one picture: `side_pixels` squared times 3 bytes of RGB, as `pixels.prepare` makes them.

        Raises:
            TimeoutError: it took longer than `most_seconds` and was given up.
        """
        if most_seconds is None:
            score, kinds = self._run(rgb)
        else:
            with _ending_after(most_seconds) as options:
                try:
                    score, kinds = self._run(rgb, options)
                except Exception as error:
                    if options.terminate:
                        raise TimeoutError(f"not within {most_seconds:g} s") from error
                    raise
        return verdicts.Verdict(
            score=score,
            decision=verdicts.decide(score, self.thresholds),
            thresholds=self.thresholds,
            model=self.model,
            labels=[verdicts.Label(name=CAKE, score=score), *self._likeliest(kinds)],
        )

    def _run(
        self, rgb: bytes, options: onnxruntime.RunOptions | None = None
    ) -> tuple[float, "np.ndarray[tuple[int], np.dtype[np.float32]]"]:
        """The score, and the probabilities (k,) of the kinds; of no kinds where the model tells none."""
        side = self.model_input.side_pixels
        pixels = np.frombuffer(rgb, dtype=np.uint8).reshape(1, side, side, 3)
        (score,), *rest = self._session.run(None, {"pixels": pixels}, options)
        return float(score), rest[0][0] if rest else _NO_KINDS

    def _likeliest(self, kinds: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> list[verdicts.Label]:
        names = self.card.labels[1:]
        order = np.argsort(-kinds, kind="stable")[:KINDS_NAMED]
        return [
            verdicts.Label(name=names[place], score=float(kinds[place]))
            for place in order
            if kinds[place] >= KIND_LEAST_SCORE
        ]

    def _probe(self, folder: Path) -> None:
        """Judge black, white and noise: warms the runtime up, and a model that gives no probabilities is found out."""
        count = self.model_input.side_pixels**2 * 3
        noise = np.random.default_rng(0).integers(0, 256, count, dtype=np.uint8).tobytes()
        with _ending_after(PROBE_SECONDS) as options:
            for name, picture in (("black", bytes(count)), ("white", b"\xff" * count), ("noise", noise)):
                self._probe_one(folder, name, picture, options)

    def _probe_one(self, folder: Path, name: str, picture: bytes, options: onnxruntime.RunOptions) -> None:
        try:
            score, kinds = self._run(picture, options)
        except Exception as error:
            reason = f"fails on a {name} picture: {error}"
            if options.terminate:
                reason = f"takes longer than {PROBE_SECONDS:g} seconds for a {name} picture"
            raise errors.InvalidPack(f"{folder / MODEL_FILE} {reason}") from error
        for found in (score, *kinds.tolist()):
            if not 0.0 <= found <= 1.0:
                raise errors.InvalidPack(f"{folder / MODEL_FILE} gives {found} for a {name} picture: no probability")


@contextlib.contextmanager
def _ending_after(seconds: float) -> Iterator[onnxruntime.RunOptions]:
    """Options of runs that fail, with `terminate` set, where the block takes longer."""
    options = onnxruntime.RunOptions()
    options.terminate = seconds <= 0
    alarm = threading.Timer(seconds, setattr, (options, "terminate", True))
    alarm.daemon = True
    alarm.start()
    try:
        yield options
    finally:
        alarm.cancel()


def _read_file(path: Path, *, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise errors.InvalidPack(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > most_bytes:
        raise errors.InvalidPack(f"{path} is larger than {most_bytes:,} bytes")
    return content


def _read_card(folder: Path) -> Card:
    path = folder / CARD_FILE
    try:
        card = msgspec.json.decode(_read_file(path, most_bytes=CARD_MAX_BYTES), type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise errors.InvalidPack(f"{path}: {error}") from error
    if not 1 <= card.input.side_pixels <= SIDE_MAX_PIXELS:
        raise errors.InvalidPack(f"{path}: input.side_pixels must be 1 to {SIDE_MAX_PIXELS}")
    if card.labels[:1] != [CAKE]:
        raise errors.InvalidPack(f"{path}: labels must begin with {CAKE!r}, not be {card.labels[:1]}")
    if card.histogram and not _counts_both_labels(card.histogram):
        raise errors.InvalidPack(f"{path}: histogram must be {HISTOGRAM_BINS} counts of each of cake and not_cake")
    return card


def _counts_both_labels(histogram: dict[str, list[int]]) -> bool:
    return histogram.keys() == {CAKE, NOT_CAKE} and all(
        len(counts) == HISTOGRAM_BINS and min(counts) >= 0 < sum(counts) for counts in histogram.values()
    )


def _session(content: bytes, folder: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One picture at a time on one core each: two threads that spin were slower than one that does not.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        # From bytes, not from a path: what was hashed is what runs. A model that keeps weights in a second file, which
        # no hash covers, is refused by the runtime (1.31) then, wherever that file lies.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions have no common base of their own.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise errors.InvalidPack(f"{folder / MODEL_FILE} is not a model that can be run: {reason}") from error


def _check_shapes(session: onnxruntime.InferenceSession, card: Card, folder: Path) -> None:
    side = card.input.side_pixels
    inputs = [(each.name, each.type, list(each.shape[1:])) for each in session.get_inputs()]
    outputs = [(each.name, each.type, list(each.shape)[1:]) for each in session.get_outputs()]
    kinds = len(card.labels) - 1
    if inputs != [("pixels", "tensor(uint8)", [side, side, 3])]:
        raise errors.InvalidPack(
            f"{folder / MODEL_FILE} must take one input, pixels (n, {side}, {side}, 3) of uint8; it takes {inputs}"
        )
    wanted = [("score", "tensor(float)", []), ("kinds", "tensor(float)", [kinds])]
    if outputs != wanted[: 2 if kinds else 1]:
        also = f", and kinds (n, {kinds}), which its card names" if kinds else " alone, for its card names no kinds"
        raise errors.InvalidPack(f"{folder / MODEL_FILE} must give score (n,) of float{also}; it gives {outputs}")
