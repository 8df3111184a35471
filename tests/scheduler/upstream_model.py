"""A model of the legacy API as the settlement must bear it: writes that land late, pages that shift, lost answers."""

import msgspec

from cakegate.domain import cakes, errors


class Write(msgspec.Struct):
    """A create under way: the item it will make, and how long the upstream may still take over it."""

    item: dict
    seconds_left: float


class UpstreamModel:
    """Its cakes in their order, and a ledger of all that was ever created and deleted, by marker."""

    def __init__(self, *, newest_first: bool, cap: int, write_max_seconds: float) -> None:
        self.cakes: list[dict] = []
        self.under_way: list[Write] = []
        self.created: list[str] = []
        self.deleted: set[str] = set()
        self._newest_first = newest_first
        self._cap = cap
        self._write_max_seconds = write_max_seconds
        self._last_id = 0

    def page(self, skip: int, limit: int) -> list[dict]:
        return [dict(item) for item in self.cakes[skip : skip + min(limit, self._cap)]]

    def item(self, draft: cakes.CakeDraft, marker: str | None) -> dict:
        item = msgspec.to_builtins(draft)
        return item if marker is None else {**item, "imageUrl": cakes.with_marker(draft.image_url, marker)}

    def create(self, item: dict) -> dict:
        self._last_id += 1
        stored = {"id": self._last_id, **item}
        self.cakes.insert(0 if self._newest_first else len(self.cakes), stored)
        if (marker := cakes.marker_of(item["imageUrl"])) is not None:
            self.created.append(marker)
        return stored

    def create_later(self, item: dict) -> None:
        self.under_way.append(Write(item, self._write_max_seconds))

    def finish(self, place: int) -> None:
        """Whatever it is busy with, it may finish in any order."""
        self.create(self.under_way.pop(place % len(self.under_way)).item)

    def pass_time(self, seconds: float) -> None:
        """Nothing stays under way for longer than the upstream's limit."""
        for write in self.under_way:
            write.seconds_left -= seconds
        late = [write for write in self.under_way if write.seconds_left <= 0]
        self.under_way = [write for write in self.under_way if write.seconds_left > 0]
        for write in late:
            self.create(write.item)

    def delete(self, cake_id: int) -> dict | None:
        for item in self.cakes:
            if item["id"] == cake_id:
                self.cakes.remove(item)
                if (marker := cakes.marker_of(item["imageUrl"])) is not None:
                    self.deleted.add(marker)
                return item
        return None

    def marked(self) -> list[dict]:
        return [item for item in self.cakes if cakes.marker_of(item["imageUrl"])]

    def unmarked(self) -> list[dict]:
        return [item for item in self.cakes if not cakes.marker_of(item["imageUrl"])]


class Unreachable(errors.UpstreamSlow):
    """A page that never came."""
