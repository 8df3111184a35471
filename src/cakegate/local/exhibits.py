"""What the demo shows: pictures drawn from seeds that the model never saw, and files that no model can like."""

import io
from pathlib import Path
from typing import Final

from cakegate import drawings

#: Whole pictures, by what they are: how they are drawn, and from which of the demo's seeds.
_DRAWN: Final = (
    ("a cake", drawings.draw_cake, drawings.DEMO_SEEDS[:6]),
    ("something else", drawings.draw_other, drawings.DEMO_SEEDS[:4]),
)


def draw(folder: Path) -> dict[str, str]:
    """Put the demo's files into a folder, those that are not there yet; what each is, by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = {}
    for kind, drawn, seeds in _DRAWN:
        for seed in seeds:
            name = f"{drawn.__name__}-{seed}.jpg"
            if not (folder / name).is_file():
                drawn(seed).save(folder / name, "JPEG", quality=88)
            shown[name] = f"drawing of {kind} (seed {seed})"
    return shown | _troublesome(folder)


def _troublesome(folder: Path) -> dict[str, str]:
    whole = io.BytesIO()
    drawings.draw_cake(drawings.DEMO_SEEDS[7]).save(whole, "JPEG")
    (folder / "page-picture.jpg").write_bytes(whole.getvalue())
    (folder / "broken.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 3])
    (folder / "poem.jpg").write_text("A cake in words is still no picture.\n", encoding="utf-8")
    (folder / "page.html").write_text(
        '<!doctype html><html><head><meta property="og:image" content="page-picture.jpg"></head></html>',
        encoding="utf-8",
    )
    return {
        "page.html": "a page whose og:image is a cake",
        "broken.jpg": "a JPEG cut off after a third",
        "poem.jpg": "text that calls itself a JPEG",
        "missing.jpg": "a picture that is not there",
    }
