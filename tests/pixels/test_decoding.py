"""What becomes of pictures, odd ones and hostile files in a real child."""

import io

import made_pictures
import pytest
from PIL import Image

from cakegate.adapters.pixels import protocol
from cakegate.domain import errors, renditions
from cakegate.domain.renditions import Format, Preset


def seen(decoded):
    """What the model sees, as a picture."""
    return Image.frombytes("RGB", (made_pictures.SIDE_PIXELS, made_pictures.SIDE_PIXELS), decoded.model_inputs[0])


def corner(image, x, y):
    """The pixel in the middle of a quarter."""
    return image.getpixel((image.width * (1 + 2 * x) // 4, image.height * (1 + 2 * y) // 4))


def is_near(expected, actual, *, by=25):
    return all(abs(one - other) <= by for one, other in zip(expected, actual, strict=True))


async def web(child, image_format=Format.JPEG):
    made = await child.render([Preset.WEB])
    return Image.open(io.BytesIO(next(each.content for each in made if each.format is image_format)))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_each_format_is_decoded(child, name):
    content = made_pictures.encoded(made_pictures.quarters((64, 48)), name)
    decoded = await child.decode(content)
    assert (name.lower(), 64, 48) == (decoded.format, decoded.width, decoded.height)
    assert is_near(made_pictures.RED, corner(seen(decoded), 0, 0))
    assert is_near(made_pictures.BLUE, corner(seen(decoded), 0, 1))


@pytest.mark.parametrize("name", made_pictures.ODD)
async def test_an_odd_picture_is_decoded_and_rendered(child, name):
    decoded = await child.decode(made_pictures.ODD[name]())
    assert made_pictures.SIDE_PIXELS**2 * 3 == len(decoded.model_inputs[0])
    made = await child.render(list(Preset))
    assert 6 == len(made)
    for each in made:
        image = Image.open(io.BytesIO(each.content))
        image.load()
        assert (each.format.value.upper(), each.width, each.height) == (image.format, *image.size)


@pytest.mark.parametrize("name", made_pictures.BROKEN)
async def test_what_is_no_picture_is_refused_and_the_child_lives(child, name):
    with pytest.raises(errors.PictureNotAnImage):
        await child.decode(made_pictures.BROKEN[name]())


@pytest.mark.parametrize("name", made_pictures.BOMBS)
async def test_a_bomb_is_refused_by_its_header(child, name):
    with pytest.raises(errors.PictureTooLarge):
        await child.decode(made_pictures.BOMBS[name]())


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("name", made_pictures.WHOLE)
async def test_a_picture_cut_off_at_any_tenth_is_refused(child, name, tenth):
    content = made_pictures.WHOLE[name]()
    with pytest.raises(errors.PictureNotAnImage):
        await child.decode(content[: len(content) * tenth // 10])


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
async def test_of_an_animation_the_first_frame_counts(child, name):
    decoded = await child.decode(made_pictures.animated(name))
    assert is_near(made_pictures.RED, corner(seen(decoded), 0, 0))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_picture_stands_upright(child, name, orientation):
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = made_pictures.quarters((64, 48))
    stored = upright.transpose(undone[orientation]) if orientation in undone else upright
    decoded = await child.decode(made_pictures.encoded(stored, name, exif=made_pictures.exif(orientation)))
    assert (64, 48) == (decoded.width, decoded.height)
    image = await web(child)
    assert (64, 48) == image.size
    found = [corner(image, *at) for at in ((0, 0), (1, 0), (0, 1), (1, 1))]
    expected = [made_pictures.RED, made_pictures.GREEN, made_pictures.BLUE, made_pictures.WHITE]
    assert all(is_near(one, other) for one, other in zip(expected, found, strict=True)), found


async def test_nothing_of_the_original_s_metadata_is_kept(child):
    image = made_pictures.quarters()
    content = made_pictures.encoded(
        image, exif=made_pictures.exif(6), icc_profile=made_pictures.swapped_profile(), comment=b"where I live"
    )
    await child.decode(content)
    for each in await child.render(list(Preset)):
        made = Image.open(io.BytesIO(each.content))
        kept = set(made.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}
        assert set() == kept - {"loop", "background", "timestamp", "duration"}
        assert {} == dict(made.getexif())
        assert b"where I live" not in each.content


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
async def test_what_is_transparent_is_white(child, name):
    image = Image.new("RGBA", (64, 64), (10, 10, 10, 0))
    decoded = await child.decode(made_pictures.encoded(image, name))
    assert {(255, 255, 255)} == {corner(seen(decoded), x, y) for x in (0, 1) for y in (0, 1)}


async def test_sixteen_bits_are_scaled_and_not_clipped(child):
    decoded = await child.decode(made_pictures.encoded(Image.new("I;16", (40, 30), 30_000), "PNG"))
    assert is_near((117, 117, 117), corner(seen(decoded), 0, 0), by=2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
async def test_colours_are_read_by_their_profile(child, mode):
    image = Image.new("RGB", (64, 64), (250, 5, 5)).convert(mode)
    decoded = await child.decode(made_pictures.encoded(image, "PNG", icc_profile=made_pictures.swapped_profile()))
    red, green, blue = corner(seen(decoded), 0, 0)
    assert blue > 200
    assert max(red, green) < 60


@pytest.mark.parametrize("size", [(4000, 3000), (4096, 3072), (3000, 4000), (9000, 700), (1500, 1500)])
@pytest.mark.parametrize("name", ["JPEG", "PNG"])
async def test_a_large_picture_keeps_its_size_in_the_record_and_its_shape_in_renditions(child, name, size):
    decoded = await child.decode(made_pictures.encoded(Image.new("RGB", size, made_pictures.GREEN), name))
    assert size == (decoded.width, decoded.height)
    for each in await child.render(list(Preset)):
        longest = renditions.LONGEST_SIDE_PIXELS[each.preset]
        scale = longest / max(size)
        assert longest == max(each.width, each.height)
        assert abs(each.width - size[0] * scale) <= 1
        assert abs(each.height - size[1] * scale) <= 1


async def test_a_small_picture_is_not_enlarged(child):
    await child.decode(made_pictures.encoded(made_pictures.quarters((200, 100))))
    sizes = {each.preset: (each.width, each.height) for each in await child.render(list(Preset))}
    assert {Preset.WEB: (200, 100), Preset.MOBILE: (200, 100), Preset.THUMBNAIL: (160, 80)} == sizes


async def test_a_refused_picture_leaves_nothing_to_render(child):
    await child.decode(made_pictures.encoded(made_pictures.quarters()))
    with pytest.raises(errors.PictureNotAnImage):
        await child.decode(b"no picture")
    answer = await (await child.start()).render(protocol.Render(presets=[Preset.WEB]))
    assert isinstance(answer, protocol.Refused)
