"""A training run's configuration, as a TOML file."""

import tomllib
from pathlib import Path

import msgspec

from cakegate.domain import errors

STARTER = Path(__file__).with_name("starter.toml")
#: The network halves its picture four times.
_STRIDE = 16


class Holdout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pictures are kept out of training: `sources` are those that `sources_file` lists, one a line."""

    sources_file: str
    source_share: float
    picture_share: float
    near_duplicate_bits: int
    sources: list[str] = []


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See starter.toml for the meaning of each field."""

    name: str
    version: str
    seed: int
    side_pixels: int
    trained_pixels: int
    stored_pixels: int
    widths: list[int]
    blocks: list[int]
    dropout: float
    batch: int
    learning_rate: float
    weight_decay: float
    warmup_share: float
    ema: float
    label_smoothing: float
    auxiliary_weight: float
    mixup_share: float
    cutmix_share: float
    crop_least_area: float
    flip_averaged: bool
    things: list[str]
    drawn_pictures: int
    weights: dict[str, float]
    holdout: Holdout


def load(path: Path = STARTER) -> Config:
    """Read a configuration. Raises `InvalidSettings` naming the file and the field."""
    try:
        config = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Config)
        listed = path.parent / config.holdout.sources_file
        lines = listed.read_text(encoding="utf-8").splitlines() if config.holdout.sources_file else []
    except (OSError, ValueError) as error:
        raise errors.InvalidSettings(f"{path}: {error}") from error
    for name, side in (("side_pixels", config.side_pixels), ("trained_pixels", config.trained_pixels)):
        if side < _STRIDE or side % _STRIDE:
            raise errors.InvalidSettings(f"{path}: {name} must be a multiple of {_STRIDE}, not {side}")
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return msgspec.structs.replace(config, holdout=msgspec.structs.replace(config.holdout, sources=names))
