"""What a model sees of a picture."""

import numpy as np
import pytest
from PIL import Image

from cakegate.adapters.pixels import preparing
from cakegate.domain.verdicts import Fit, ModelInput


def seen(image, fit, side=8):
    content = preparing.prepare(image, ModelInput(side_pixels=side, fit=fit))
    return np.frombuffer(content, dtype=np.uint8).reshape(side, side, 3)


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (4000, 30), (8, 8)])
def test_any_shape_becomes_the_models_square(fit, size):
    assert (8, 8, 3) == seen(Image.new("RGB", size, (10, 20, 30)), fit).shape


def test_cover_shows_the_middle_and_contain_shows_all_on_grey():
    image = Image.new("RGB", (16, 8), (255, 0, 0))
    image.paste((0, 0, 255), (4, 0, 12, 8))

    assert (0, 0, 255) == tuple(seen(image, Fit.COVER)[4, 4])
    assert (0, 0, 255) == tuple(seen(image, Fit.COVER)[0, 0])
    assert (128, 128, 128) == tuple(seen(image, Fit.CONTAIN)[0, 0])
    assert (255, 0, 0) == tuple(seen(image, Fit.CONTAIN)[4, 0])
    assert (255, 0, 0) == tuple(seen(image, Fit.STRETCH)[0, 0])


def test_transparency_is_white():
    assert (255, 255, 255) == preparing.flatten(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0))


def test_sixteen_bit_greys_are_scaled_not_clipped():
    grey = Image.fromarray(np.full((1, 1), 32768, dtype=np.uint16))

    assert 127 <= preparing.flatten(grey).getpixel((0, 0))[0] <= 129
