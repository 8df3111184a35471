"""The pictures of a run: cakes, other things, and what cannot be judged."""

import io
from pathlib import Path
from typing import Final

from cakegate import drawings

_CAKES: Final = 8
_OTHERS: Final = 3
MISSING: Final = "missing.jpg"


def draw(folder: Path) -> list[str]:
    """Put the pictures into a folder; their names, and one that is not there."""
    seeds = drawings.DEMO_SEEDS
    for kind, paint, count in (("cake", drawings.draw_cake, _CAKES), ("other", drawings.draw_other, _OTHERS)):
        for seed in seeds[:count]:
            paint(seed).save(folder / f"{kind}-{seed}.jpg", "JPEG", quality=88)
    whole = io.BytesIO()
    drawings.draw_cake(seeds[7]).save(whole, "JPEG")
    (folder / "broken.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 3])
    (folder / "poem.jpg").write_text("A cake in words is still no picture.\n", encoding="utf-8")
    return [*sorted(path.name for path in folder.iterdir()), MISSING]
