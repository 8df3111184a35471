"""A training run's configuration, as a TOML file."""

import tomllib
from pathlib import Path

import msgspec

from cakegate.domain import errors

STARTER = Path(__file__).with_name("starter.toml")


class Holdout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pictures are kept out of training."""

    source_share: float
    archives: list[str]
    picture_share: float
    near_duplicate_bits: int


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See starter.toml for the meaning of each field."""

    name: str
    version: str
    seed: int
    side_pixels: int
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
    drawn_pictures: int
    weights: dict[str, float]
    holdout: Holdout


def load(path: Path = STARTER) -> Config:
    """Read a configuration. Raises `InvalidSettings` naming the file and the field."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Config)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise errors.InvalidSettings(f"{path}: {error}") from error
