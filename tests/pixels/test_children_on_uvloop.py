"""Children under the loop that the worker runs: its pipes are sockets, and end otherwise than asyncio's."""

import asyncio
import os
import signal

import made_pictures
import pytest
import uvloop
from PIL import Image

from cakegate import settings
from cakegate.adapters.pixels import pool
from cakegate.domain import errors, verdicts
from cakegate.domain.renditions import Preset

SMALL = made_pictures.encoded(made_pictures.quarters())
#: More than one read of a pipe, or of a socket, brings.
LARGE = made_pictures.encoded(made_pictures.noise((2400, 1800)), quality=95)


def with_child(flow, **pictures):
    """Run a flow with a child of its own."""

    async def run():
        seen = verdicts.ModelInput(side_pixels=400, fit=verdicts.Fit.STRETCH)
        children = pool.PixelPool(settings.Pictures(**pictures), model_inputs=[seen], size=1)
        await children.start()
        try:
            async with children.lease() as child:
                return await flow(child)
        finally:
            await children.close()

    return uvloop.run(run())


def test_large_pictures_and_answers_come_whole():
    async def flow(child):
        found = []
        for content in (LARGE, SMALL, LARGE):
            decoded = await child.decode(content)
            found.append((decoded.width, len(decoded.model_inputs[0]), len(await child.render(list(Preset)))))
        return found

    expected = [(width, 3 * 400**2, 2 * len(Preset)) for width in (2400, 64, 2400)]
    assert expected == with_child(flow)


def test_a_picture_is_blamed_for_a_child_that_dies_with_it_and_no_other_is():
    slow = made_pictures.encoded(Image.new("RGBA", (7000, 7000), (1, 2, 3, 4)), "PNG", compress_level=1)

    async def flow(child):
        running = await child.start()
        decoding = asyncio.create_task(child.decode(slow))
        async with asyncio.timeout(10):
            while not running._blamed.taken:  # noqa: ASYNC110 - another process sets it
                await asyncio.sleep(0.001)
        os.kill(running.pid, signal.SIGKILL)
        with pytest.raises(errors.DecoderDied, match="ended with status -9"):
            await decoding
        os.kill((await child.start()).pid, signal.SIGKILL)
        return (await child.decode(SMALL)).width

    assert 64 == with_child(flow)


def test_a_child_that_hangs_is_replaced_and_one_that_was_stopped_blames_nobody():
    slow = made_pictures.encoded(Image.new("RGBA", (7000, 7000), (1, 2, 3, 4)), "PNG", compress_level=1)

    async def flow(child):
        with pytest.raises(errors.DecoderDied, match="took longer"):
            await child.decode(slow)
        os.kill((await child.start()).pid, signal.SIGSTOP)
        return (await child.decode(SMALL)).width

    assert 64 == with_child(flow, decode_seconds=0.4)
