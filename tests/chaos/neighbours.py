"""Others who write upstream meanwhile: directly, or by deleting through our gateway what they see in its list."""

import asyncio
import random
from collections import deque
from typing import Final

from cakegate.local.sample import Sample
from cakegate.local.sample_cakes import NewCake
from chaos import clients

#: So many of their cakes are there from the start, so that a scan takes several pages.
_CAKES: Final = 120
_PAUSE_SECONDS: Final = (0.02, 0.3)
_DELETE_SECONDS: Final = (1.0, 3.0)
_PAGE: Final = 20


class Neighbours:
    """Create and delete cakes of their own directly, some of them copies of ours, so that pages shift under a scan."""

    def __init__(self, upstream: Sample, *, seed: int) -> None:
        self._cakes = upstream.cakes
        self._dice = random.Random(f"{seed}-neighbours")
        self._own: deque[int] = deque()
        for _ in range(_CAKES):
            self._add()

    async def live(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._dice.uniform(*_PAUSE_SECONDS))
            for _ in range(self._dice.randint(1, 4)):
                if len(self._own) > _CAKES // 2 and self._dice.random() < 0.5:
                    # The oldest: every page behind it shifts.
                    self._cakes.delete(self._own.popleft())
                else:
                    self._add()

    def _add(self) -> None:
        cake = NewCake(name="Neighbour's", comment="Of their own", image_url="http://n.example/1.jpg", yum_factor=3)
        skip = self._dice.randint(0, 400)
        for item in self._cakes.page(skip=skip, limit=1):
            if self._dice.random() < 0.3:
                address = str(item["imageUrl"]).partition("#")[0]
                cake = NewCake(
                    name=item["name"], comment=item["comment"], image_url=address, yum_factor=item["yumFactor"]
                )
        self._own.append(self._cakes.add(cake)["id"])


async def delete_what_is_listed(through: clients.Clients, *, seed: int) -> None:
    """Look at pages of the gateway's list and delete a cake of ours now and then, settled or not, until cancelled."""
    dice = random.Random(f"{seed}-roaming")
    skip = 0
    while True:
        await asyncio.sleep(dice.uniform(*_DELETE_SECONDS))
        items = await through.page(skip=skip, limit=_PAGE)
        ours = [item for item in items if item["name"].startswith("Chaos")]
        if ours:
            # The newest: its submission may not know it yet.
            await through.delete(str(ours[-1]["id"]))
        skip = skip + len(items) if len(items) == _PAGE else max(0, skip - _PAGE)
