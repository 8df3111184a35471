"""Labelled pictures as arrays: folders with `cake/` and `not_cake/` inside, or tar archives of such folders.

A `manifest.csv` beside archives (columns archive, file, label, source, kind) says where each picture is from. Sources
matter: pictures of one shop share light, plates and backgrounds, so whole shops are held out, never single pictures.
"""

import csv
import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from cakegate.adapters.pixels import decoding, preparing
from cakegate.domain import errors, verdicts
from cakegate.training.config import Config

LABELS = {"not_cake": 0, "cake": 1}
#: Files that are no pictures, or broken or monstrous ones.
UNREADABLE = (decoding.NotAnImageError, decoding.TooLargeError)
#: A user's own pictures may be larger than what a worker takes from strangers by default.
_MOST_PIXELS = 200_000_000
#: With fewer sources than this, a quarter of them is a matter of chance: pictures are held out instead.
_SOURCES_FEWEST = 12
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif"}


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """One picture's bytes and what is known of it."""

    archive: str
    file: str
    label: int
    source: str
    kind: str
    content: bytes


def read(folder: Path) -> Iterator[Labelled]:
    """All labelled pictures below a folder, in a fixed order.

    Raises:
        InvalidSettings: there are none, or the manifest is not one.
    """
    found = False
    manifest = _manifest(folder)
    for archive in sorted(folder.glob("*.tar")):
        for file, content in _members(archive):
            found = True
            yield _labelled(archive.name, file, content, manifest)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and path.parent.name in LABELS and path.is_file():
            found = True
            yield _labelled(folder.name, str(path.relative_to(folder)), path.read_bytes(), manifest)
    if not found:
        raise errors.InvalidSettings(f"{folder} holds no pictures in folders named cake/ and not_cake/")


def _manifest(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    path = folder / "manifest.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        if None in (row.get("archive"), row.get("file")) or row.get("label") not in {*LABELS, "", None}:
            raise errors.InvalidSettings(
                f"{path}: columns archive, file, label (cake or not_cake) are needed, not {row}"
            )
    return {(row["archive"], row["file"]): row for row in rows}


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isfile() and Path(name).suffix.lower() in _SUFFIXES and Path(name).parent.name in LABELS:
                stream = tar.extractfile(member)
                assert stream is not None
                yield name, stream.read()


def _labelled(archive: str, file: str, content: bytes, manifest: dict[tuple[str, str], dict[str, str]]) -> Labelled:
    # A folder may be moved or renamed: a manifest may leave the archive of pictures that lie loose in it empty.
    row = manifest.get((archive, file)) or manifest.get(("", file), {})
    label = LABELS[row.get("label") or Path(file).parent.name]
    return Labelled(
        archive=archive,
        file=file,
        label=label,
        source=row.get("source") or archive,
        kind=_kind(row.get("kind", ""), label),
        content=content,
    )


def _kind(text: str, label: int) -> str:
    """The first word group of a manifest's kind; photographs of shops are known by their label alone."""
    head = text.split(";", maxsplit=1)[0].strip()
    return "" if head.startswith(("photo", "graphic", "hand-labelled")) or not head else f"{label}:{head}"


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures in memory: `pixels` (n, side, side, 3) uint8, `labels` and `kinds` (n,), `hashes` (n,) uint64.

    `mirrored_hashes` (n,) are those of the pictures' mirror images; `told` are the kinds as the manifest tells them,
    rare ones too, empty where it tells none.
    `kinds` are indices into `kind_names`, -1 where the kind is unknown or rare. `unreadable` files were passed over.
    """

    pixels: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray
    kind_names: list[str]
    told: list[str]
    archives: list[str]
    sources: list[str]
    files: list[str]
    hashes: np.ndarray
    mirrored_hashes: np.ndarray
    unreadable: int = 0

    def take(self, index: np.ndarray) -> "Pictures":
        """The pictures at these places."""
        return Pictures(
            pixels=self.pixels[index],
            labels=self.labels[index],
            kinds=self.kinds[index],
            kind_names=self.kind_names,
            told=[self.told[i] for i in index],
            archives=[self.archives[i] for i in index],
            sources=[self.sources[i] for i in index],
            files=[self.files[i] for i in index],
            hashes=self.hashes[index],
            mirrored_hashes=self.mirrored_hashes[index],
        )


def decode(content: bytes) -> Image.Image:
    """The upright RGB picture, as a worker's child decodes it. Raises one of `UNREADABLE`."""
    return decoding.decode(content, max_pixels=_MOST_PIXELS).image


def difference_hashes(image: Image.Image) -> tuple[int, int]:
    """64 bits that near-copies share, of a picture and of its mirror image.

    They say whether each cell of an 8 x 8 grid is brighter than its left neighbour.
    """
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
    plain, mirrored = (
        int.from_bytes(np.packbits(each[:, 1:] > each[:, :-1]).tobytes(), "big") for each in (grey, grey[:, ::-1])
    )
    return plain, mirrored


#: A kind with fewer pictures teaches nothing.
_KIND_MIN_PICTURES = 25


def load(folder: Path, *, side_pixels: int, only: set[tuple[str, str]] | None = None) -> Pictures:
    """Decode all pictures below a folder to squares of `side_pixels`, as the model's input is made.

    `only` leaves out all but these, each named by archive and file.
    """
    model_input = verdicts.ModelInput(side_pixels=side_pixels, fit=verdicts.Fit.STRETCH)
    pixels, rows, hashes, unreadable = [], [], [], 0
    for row in read(folder):
        if only is not None and (row.archive, row.file) not in only:
            continue
        try:
            image = decode(row.content)
        except UNREADABLE:
            unreadable += 1
            continue
        pixels.append(preparing.prepare(image, model_input))
        hashes.append(difference_hashes(image))
        rows.append(msgspec.structs.replace(row, content=b""))
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.kind] = counts.get(row.kind, 0) + 1
    names = sorted(kind for kind, count in counts.items() if kind and count >= _KIND_MIN_PICTURES)
    places = {name: place for place, name in enumerate(names)}
    return Pictures(
        pixels=np.frombuffer(b"".join(pixels), dtype=np.uint8).reshape(-1, side_pixels, side_pixels, 3),
        labels=np.array([row.label for row in rows], dtype=np.int64),
        kinds=np.array([places.get(row.kind, -1) for row in rows], dtype=np.int64),
        kind_names=names,
        told=[row.kind.partition(":")[2] for row in rows],
        archives=[row.archive for row in rows],
        sources=[row.source for row in rows],
        files=[row.file for row in rows],
        hashes=np.array([plain for plain, _ in hashes], dtype=np.uint64),
        mirrored_hashes=np.array([mirrored for _, mirrored in hashes], dtype=np.uint64),
        unreadable=unreadable,
    )


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Indices: `training`; `validation` (whole held-out sources); `apart` (pictures of archives of one source).

    `validated_on` says what validation is, for the card.
    """

    training: np.ndarray
    validation: np.ndarray
    apart: np.ndarray
    held_out_sources: list[str]
    validated_on: str


def _share_of(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def split(pictures: Pictures, config: Config) -> Split:
    """Hold out the sources that the configuration lists, and drop from validation what nearly stands in training too.

    Where the pictures have none of those sources, any sources are held out; where there are too few, pictures are.

    Raises:
        InvalidSettings: training or validation would lack cakes or others, so that no threshold could be chosen.
    """
    rule = config.holdout
    listed = set(rule.sources)
    validated_on = "held-out shops"
    held = np.array([source in listed for source in pictures.sources], dtype=bool)
    with_held = {pictures.archives[place] for place in np.flatnonzero(held)} | {"drawn"}
    apart = np.array(
        [
            archive not in with_held and _share_of(f"{archive}/{file}") < rule.picture_share
            for archive, file in zip(pictures.archives, pictures.files, strict=True)
        ],
        dtype=bool,
    )
    if not held.any():
        held, validated_on = _held_of_any(pictures, share=rule.source_share)
        apart[:] = False
    training = np.flatnonzero(~held & ~apart)
    photographs = np.array([place for place in training if pictures.archives[place] != "drawn"], dtype=np.int64)
    validation = _without_near_copies(pictures, np.flatnonzero(held), photographs, bits=rule.near_duplicate_bits)
    for name, chosen in (("training", photographs), ("validation", validation)):
        if set(pictures.labels[chosen].tolist()) != set(LABELS.values()):
            raise errors.InvalidSettings(
                f"Too few pictures that differ: {name} would not have both cakes and others ({len(chosen)} pictures)"
            )
    return Split(
        training=training,
        validation=validation,
        apart=np.flatnonzero(apart),
        held_out_sources=(
            [] if validated_on == _PICTURES else sorted({pictures.sources[place] for place in np.flatnonzero(held)})
        ),
        validated_on=validated_on,
    )


_PICTURES = "held-out pictures"


def _held_of_any(pictures: Pictures, *, share: float) -> tuple[np.ndarray, str]:
    """Which pictures to hold out where the configuration lists none of their sources, and what to call them."""
    rows = list(zip(pictures.archives, pictures.sources, pictures.files, strict=True))
    known = len({source for archive, source, _ in rows if archive != "drawn"})
    by_source, words = (True, "held-out sources") if known >= _SOURCES_FEWEST else (False, _PICTURES)
    held = [
        archive != "drawn" and _share_of(source if by_source else f"{archive}/{file}") < share
        for archive, source, file in rows
    ]
    return np.array(held, dtype=bool), words


def _without_near_copies(pictures: Pictures, candidates: np.ndarray, against: np.ndarray, *, bits: int) -> np.ndarray:
    known = np.concatenate([pictures.hashes[against], pictures.mirrored_hashes[against]])
    originals = [not near(known, pictures.hashes[candidate], bits=bits) for candidate in candidates]
    return np.asarray(candidates[np.array(originals, dtype=bool)])


def near(known: np.ndarray, candidate: int | np.uint64, *, bits: int) -> bool:
    """Whether any of the `known` hashes (n,) differs from a candidate's by at most so many bits."""
    return bool(len(known)) and int(np.bitwise_count(known ^ np.uint64(candidate)).min()) <= bits
