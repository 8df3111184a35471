"""Making one picture look as phones, shops and re-encoders would: so that sharpness and size are no cue.

Half the work is done picture by picture on 8 bits (degrading: what real pictures go through), half on whole batches.
"""

import io

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.nn import functional

#: Share of pictures that are scaled down and up again, that are out of focus, and that are re-encoded as JPEG.
_SHRUNK_SHARE = 0.35
_BLURRED_SHARE = 0.1
_JPEG_SHARE = 0.4


def degrade(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One picture (side, side, 3) after some life on the web: scaled down and up, blurred, JPEG at quality 30 to 95."""
    shrink, blur, encode = generator.random(3)
    if shrink >= _SHRUNK_SHARE and blur >= _BLURRED_SHARE and encode >= _JPEG_SHARE:
        return pixels
    image = Image.fromarray(pixels)
    side = image.width
    if shrink < _SHRUNK_SHARE:
        small = int(generator.integers(28, side))
        ways = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
        image = image.resize((small, small), Image.Resampling.BOX).resize((side, side), ways[generator.integers(2)])
    if blur < _BLURRED_SHARE:
        # At most what leaves about 40 points across.
        image = image.filter(ImageFilter.GaussianBlur(float(generator.uniform(0.5, side / 80))))
    if encode < _JPEG_SHARE:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(generator.integers(30, 96)))
        image = Image.open(buffer)
    return np.asarray(image)


def augment(pixels: torch.Tensor, *, side_pixels: int, least_area: float, generator: torch.Generator) -> torch.Tensor:
    """(n, stored, stored, 3) uint8 to (n, 3, side, side) floats in 0 to 1: cropped, turned, mirrored, recoloured.

    Crops are of `least_area` to all of the picture.
    """
    batch = pixels.permute(0, 3, 1, 2).float().div_(255.0)
    batch = _cropped(batch, side_pixels, least_area=least_area, generator=generator)
    return _recoloured(batch, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def cut_and_paste(batch: torch.Tensor, *, share: float, generator: torch.Generator) -> tuple[torch.Tensor, float]:
    """Cutmix: `batch` (n, 3, side, side) with one rectangle of each picture from its mirror in the batch.

    About `share` of each picture stays its own; the share that did is given back.
    """
    side = batch.shape[-1]
    cut = max(1, round(side * (1 - share) ** 0.5))
    top, left = (int(torch.randint(0, side - cut + 1, (), generator=generator)) for _ in range(2))
    pasted = batch.clone()
    pasted[:, :, top : top + cut, left : left + cut] = batch.flip(0)[:, :, top : top + cut, left : left + cut]
    return pasted, 1 - (cut / side) ** 2


def _cropped(batch: torch.Tensor, side: int, *, least_area: float, generator: torch.Generator) -> torch.Tensor:
    """Random resized crops, their sides' ratio up to 4:3 either way, with up to 12 degrees of turn."""
    n = len(batch)
    area = _uniform(n, least_area, 1.0, generator)
    ratio = torch.exp(_uniform(n, -0.29, 0.29, generator))
    width, height = (area * ratio).sqrt().clamp(max=1.0), (area / ratio).sqrt().clamp(max=1.0)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    turn = _uniform(n, -0.21, 0.21, generator) * (torch.rand(n, generator=generator) < 0.5)
    cosine, sine = torch.cos(turn), torch.sin(turn)
    x, y = (_uniform(n, -1, 1, generator) * (1 - part) for part in (width, height))
    theta = torch.stack(
        [
            torch.stack([width * cosine * flip, -height * sine, x], dim=1),
            torch.stack([width * sine * flip, height * cosine, y], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta, [n, 3, side, side], align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="reflection", align_corners=False)


def _recoloured(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Brightness, contrast, saturation, white balance, a little noise, sometimes blur or grey."""
    n = len(batch)
    shape = (n, 1, 1, 1)
    batch = batch * _uniform(n, 0.65, 1.4, generator).view(shape)
    balance = (1 + (torch.rand(n, 3, generator=generator) - 0.5) * 0.24).view(n, 3, 1, 1)
    batch = batch * balance
    mean = batch.mean(dim=(1, 2, 3), keepdim=True)
    batch = (batch - mean) * _uniform(n, 0.65, 1.4, generator).view(shape) + mean
    grey = batch.mean(dim=1, keepdim=True)
    colour = _uniform(n, 0.4, 1.6, generator)
    colour[torch.rand(n, generator=generator) < 0.06] = 0.0
    batch = (batch - grey) * colour.view(shape) + grey
    soft = torch.rand(n, generator=generator) < 0.15
    if soft.any():
        batch[soft] = functional.avg_pool2d(batch[soft], 3, stride=1, padding=1, count_include_pad=False)
    batch = batch + torch.randn(batch.shape, generator=generator) * (0.03 * torch.rand(n, generator=generator)).view(
        shape
    )
    return batch.clamp_(0.0, 1.0)
