"""What the network's kinds are called in answers: data sets name the same thing in several ways."""

import numpy as np

from cakegate.training import data

#: What is left when underscores are spaces, and what it is called here.
_CALLED = {
    "cake": "other cake",
    "cup cakes": "cupcake",
    "donuts": "donut",
    "macarons": "macaron",
    "document/sign chart": "document or sign",
    "hand-labelled not cake": "other thing",
}
#: What a kind is called whose every picture is from an archive of everyday things.
OTHER_THING = "other thing"


def called(kind: str, *, things: bool) -> str:
    """How a kind, told as "label:name", is called. `things`: it is known from archives of everyday things alone."""
    name = kind.partition(":")[2].replace("_", " ")
    return OTHER_THING if things else _CALLED.get(name, name)


def merging(pictures: data.Pictures, *, things: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of the k kinds that are told; which of the network's kinds each is, (kinds, k); which are cakes, (kinds,).

    `things` are the beginnings of the names of archives of everyday things.
    """
    seen_elsewhere = {
        int(kind)
        for kind, archive in zip(pictures.kinds, pictures.archives, strict=True)
        if not archive.startswith(tuple(things))
    }
    names = [called(kind, things=place not in seen_elsewhere) for place, kind in enumerate(pictures.kind_names)]
    told = sorted(set(names))
    matrix = np.zeros((len(names), len(told)), dtype=np.float32)
    for place, name in enumerate(names):
        matrix[place, told.index(name)] = 1.0
    of_cakes = np.array([kind.startswith("1:") for kind in pictures.kind_names], dtype=np.float32)
    return told, matrix, of_cakes
