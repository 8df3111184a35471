"""Pictures drawn from a seed: cakes, and things that are none.

The demo submits them and training sees some, so that the demo is judged by the model and not scripted. Demo and
training draw from different seeds. No figure in a model's card is measured on them.
"""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]

TRAINING_SEEDS = range(100_000, 200_000)
DEMO_SEEDS = range(1_000, 2_000)

_SCALE = 2  # drawn this much larger and shrunk, which smooths the edges


class _Canvas:
    """A picture in the making; coordinates are shares of its width and height."""

    def __init__(self, dice: random.Random, size: tuple[int, int]) -> None:
        self.dice = dice
        self.width, self.height = size[0] * _SCALE, size[1] * _SCALE
        self.image = Image.new("RGB", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.width, y * self.height

    def box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return (*self.at(min(x0, x1), min(y0, y1)), *self.at(max(x0, x1), max(y0, y1)))

    def rect(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.draw.rectangle(self.box(x0, y0, x1, y1), fill=colour)

    def oval(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.draw.ellipse(self.box(x0, y0, x1, y1), fill=colour)

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        self.draw.polygon([self.at(*point) for point in points], fill=colour)

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float) -> None:
        self.draw.line([self.at(*point) for point in points], fill=colour, width=max(1, int(width * self.width)))

    def backdrop(self) -> None:
        """A wall and a table, or one colour running into another."""
        top, bottom = _muted(self.dice), _muted(self.dice)
        rows = Image.linear_gradient("L").resize((self.width, self.height))
        self.image.paste(Image.composite(_plain(self, bottom), _plain(self, top), rows))
        if self.dice.random() < 0.6:
            edge = self.dice.uniform(0.5, 0.75)
            self.rect(0, edge, 1, 1, _muted(self.dice))

    def finish(self) -> Image.Image:
        """Light from one side, a little softness and grain, at the size that was asked for."""
        light = Image.linear_gradient("L").rotate(self.dice.uniform(0, 360), resample=Image.Resampling.BILINEAR)
        light = light.crop((48, 48, 208, 208)).resize(self.image.size)
        dark = self.image.point(lambda value: int(value * 0.72))
        lit = Image.composite(self.image, dark, light)
        small = lit.resize((self.width // _SCALE, self.height // _SCALE), Image.Resampling.LANCZOS)
        if self.dice.random() < 0.3:
            small = small.filter(ImageFilter.GaussianBlur(self.dice.uniform(0.4, 1.4)))
        seed = self.dice.getrandbits(32)
        grain = Image.frombytes("L", (64, 64), random.Random(seed).randbytes(4096)).resize(small.size)  # noqa: S311
        return Image.blend(small, Image.merge("RGB", (grain,) * 3), self.dice.uniform(0.0, 0.05))


def _plain(canvas: _Canvas, colour: Colour) -> Image.Image:
    return Image.new("RGB", (canvas.width, canvas.height), colour)


def _muted(dice: random.Random) -> Colour:
    base = dice.randint(70, 235)
    return tuple(max(0, min(255, base + dice.randint(-28, 28))) for _ in range(3))  # type: ignore[return-value]


def _bright(dice: random.Random) -> Colour:
    return dice.choice(
        [(220, 40, 60), (240, 150, 40), (250, 220, 80), (60, 160, 90), (60, 120, 210), (150, 80, 190), (240, 120, 170)]
    )


_SPONGES: list[Colour] = [(222, 184, 120), (240, 210, 150), (96, 56, 36), (70, 40, 28), (170, 40, 50), (200, 140, 80)]
_FROSTINGS: list[Colour] = [
    (252, 248, 240), (250, 214, 226), (246, 232, 200), (84, 48, 32), (200, 230, 220), (220, 208, 240), (255, 250, 250),
]  # fmt: skip


def _shade(colour: Colour, by: float) -> Colour:
    return tuple(max(0, min(255, int(part * by))) for part in colour)  # type: ignore[return-value]


def draw_cake(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A cake: whole, in tiers, a slice or a cupcake. The same seed and size give the same picture."""
    dice = random.Random(seed)  # noqa: S311 - pictures, not secrets
    canvas = _Canvas(dice, size)
    canvas.backdrop()
    dice.choice([_whole, _whole, _tiers, _tiers, _slice, _cupcakes])(canvas)
    return canvas.finish()


def draw_other(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Something that is no cake. The same seed and size give the same picture."""
    dice = random.Random(seed)  # noqa: S311
    canvas = _Canvas(dice, size)
    canvas.backdrop()
    dice.choice(_OTHERS)(canvas)
    return canvas.finish()


def _plate(canvas: _Canvas, middle: float, base: float, half: float) -> None:
    colour = canvas.dice.choice([(245, 245, 245), (225, 228, 235), (200, 170, 130), (60, 60, 70)])
    canvas.oval(middle - half * 1.25, base - 0.06, middle + half * 1.25, base + 0.09, _shade(colour, 0.85))
    canvas.oval(middle - half * 1.22, base - 0.07, middle + half * 1.22, base + 0.07, colour)


def _drum(canvas: _Canvas, middle: float, base: float, half: float, tall: float, frosting: Colour) -> None:
    """One round of cake: side, top, drips or a piped border, sometimes bare layers."""
    dice = canvas.dice
    flat = half * 0.32
    side = dice.choice([frosting, frosting, dice.choice(_SPONGES)])
    canvas.rect(middle - half, base - tall, middle + half, base, side)
    canvas.oval(middle - half, base - flat, middle + half, base + flat, side)
    if side != frosting:
        layers = dice.randint(2, 4)
        for layer in range(1, layers):
            y = base - tall * layer / layers
            canvas.line([(middle - half, y), (middle, y + flat * 0.6), (middle + half, y)], frosting, 0.014)
    canvas.oval(middle - half, base - tall - flat, middle + half, base - tall + flat, _shade(frosting, 1.03))
    kind = dice.random()
    if kind < 0.45:
        drip = dice.choice([(70, 38, 24), (250, 240, 235), (230, 90, 130), _shade(frosting, 0.8)])
        canvas.oval(middle - half, base - tall - flat, middle + half, base - tall + flat, drip)
        count = dice.randint(7, 13)
        for place in range(count):
            angle = math.pi * (place + 0.5) / count
            x = middle - half * math.cos(angle) * 0.96
            top = base - tall + flat * math.sin(angle) * 0.8
            width = half * 0.9 / count
            length = tall * dice.uniform(0.12, 0.5)
            canvas.rect(x - width, top - 0.02, x + width, top + length, drip)
            canvas.oval(x - width, top + length - width, x + width, top + length + width, drip)
    elif kind < 0.85:
        border = dice.choice([frosting, *_FROSTINGS])
        count = dice.randint(12, 22)
        for edge in (base - tall, base):
            for place in range(count + 1):
                angle = math.pi * place / count
                x, y = middle - half * math.cos(angle), edge + flat * math.sin(angle) * 0.9
                size = half * 1.5 / count
                canvas.oval(x - size, y - size * 1.3, x + size, y + size * 1.1, _shade(border, dice.uniform(0.9, 1.05)))


def _toppings(canvas: _Canvas, middle: float, top: float, half: float) -> None:
    dice = canvas.dice
    kind = dice.random()
    count = dice.randint(3, 9)
    for place in range(count):
        x = middle + half * 0.75 * (2 * (place + 0.5) / count - 1)
        y = top + dice.uniform(-0.03, 0.03)
        if kind < 0.4:
            colour = _bright(dice)
            canvas.rect(x - 0.007, y - 0.13, x + 0.007, y, colour)
            canvas.oval(x - 0.009, y - 0.17, x + 0.009, y - 0.12, (255, 200, 70))
        elif kind < 0.7:
            red = dice.choice([(200, 30, 50), (170, 20, 40), (60, 50, 120)])
            canvas.oval(x - 0.026, y - 0.045, x + 0.026, y + 0.015, red)
            canvas.oval(x - 0.012, y - 0.035, x - 0.004, y - 0.022, _shade(red, 1.5))
        else:
            cream = dice.choice(_FROSTINGS)
            for step in range(3):
                size = 0.035 - step * 0.01
                canvas.oval(x - size, y - size - step * 0.022, x + size, y + size * 0.5 - step * 0.022, cream)
    if dice.random() < 0.5:
        for _ in range(dice.randint(20, 60)):
            x, y = middle + dice.uniform(-0.9, 0.9) * half, top + dice.uniform(-0.03, 0.05)
            canvas.line([(x, y), (x + dice.uniform(-0.01, 0.01), y + dice.uniform(-0.01, 0.01))], _bright(dice), 0.005)


def _whole(canvas: _Canvas) -> None:
    dice = canvas.dice
    middle, base, half = dice.uniform(0.42, 0.58), dice.uniform(0.66, 0.78), dice.uniform(0.2, 0.33)
    tall = dice.uniform(0.16, 0.34)
    frosting = dice.choice(_FROSTINGS)
    _plate(canvas, middle, base + half * 0.2, half)
    _drum(canvas, middle, base, half, tall, frosting)
    _toppings(canvas, middle, base - tall, half)


def _tiers(canvas: _Canvas) -> None:
    dice = canvas.dice
    middle, base, half = dice.uniform(0.44, 0.56), dice.uniform(0.78, 0.86), dice.uniform(0.22, 0.3)
    frosting = dice.choice(_FROSTINGS)
    _plate(canvas, middle, base + half * 0.2, half)
    for _ in range(dice.randint(2, 3)):
        tall = dice.uniform(0.15, 0.21)
        _drum(canvas, middle, base, half, tall, frosting)
        base -= tall
        half *= dice.uniform(0.62, 0.76)
    _toppings(canvas, middle, base, half * 1.2)


def _slice(canvas: _Canvas) -> None:
    dice = canvas.dice
    sponge, frosting = dice.choice(_SPONGES), dice.choice(_FROSTINGS)
    x, y, long, tall = dice.uniform(0.2, 0.3), dice.uniform(0.6, 0.7), dice.uniform(0.42, 0.52), dice.uniform(0.2, 0.28)
    back = (x + long, y - 0.2)
    _plate(canvas, x + long / 2, y + 0.02, long * 0.62)
    canvas.shape([(x, y), (x + long, y + 0.02), (x + long, y + 0.02 - tall), (x, y - tall)], sponge)
    layers = dice.randint(2, 4)
    for layer in range(1, layers):
        lift = tall * layer / layers
        canvas.line([(x, y - lift), (x + long, y + 0.02 - lift)], frosting, 0.016)
    canvas.shape([(x, y - tall), (x + long, y + 0.02 - tall), (back[0] - 0.04, back[1] - tall + 0.06)], frosting)
    canvas.shape(
        [
            (x + long, y + 0.02),
            (back[0] - 0.02, back[1] + 0.08),
            (back[0] - 0.02, back[1] - tall + 0.06),
            (x + long, y + 0.02 - tall),
        ],
        _shade(frosting, 0.92),
    )
    canvas.line([(x, y - tall), (x + long, y + 0.02 - tall)], _shade(frosting, 1.02), 0.03)
    if dice.random() < 0.7:
        canvas.oval(x + long * 0.7, y - tall - 0.09, x + long * 0.82, y - tall + 0.0, (200, 30, 50))


def _cupcakes(canvas: _Canvas) -> None:
    dice = canvas.dice
    count = dice.choice([1, 1, 2, 3])
    for place in range(count):
        middle = (place + 0.5) / count + dice.uniform(-0.03, 0.03)
        half = min(0.2, 0.38 / count)
        base = dice.uniform(0.74, 0.82)
        paper, cream = _bright(dice), dice.choice(_FROSTINGS)
        top = base - half * 1.1
        canvas.shape(
            [(middle - half * 0.72, base), (middle + half * 0.72, base), (middle + half, top), (middle - half, top)],
            paper,
        )
        for stripe in range(-3, 4):
            x = middle + stripe * half * 0.24
            canvas.line([(x, base), (middle + stripe * half * 0.32, top)], _shade(paper, 0.8), 0.006)
        steps = dice.randint(3, 5)
        for step in range(steps):
            size = half * (1.12 - 0.85 * step / steps)
            y = top - step * half * 0.34
            canvas.oval(middle - size, y - half * 0.4, middle + size, y + half * 0.28, _shade(cream, 0.9 + 0.03 * step))
            canvas.oval(middle - size * 0.96, y - half * 0.42, middle + size * 0.9, y + half * 0.16, cream)
        if dice.random() < 0.6:
            y = top - steps * half * 0.34
            canvas.oval(middle - half * 0.2, y - half * 0.3, middle + half * 0.2, y + half * 0.1, (200, 30, 50))


def _car(canvas: _Canvas) -> None:
    dice = canvas.dice
    colour, y = _bright(dice), dice.uniform(0.6, 0.75)
    x, long = dice.uniform(0.1, 0.25), dice.uniform(0.5, 0.65)
    canvas.shape(
        [
            (x + long * 0.2, y - 0.15),
            (x + long * 0.32, y - 0.3),
            (x + long * 0.7, y - 0.3),
            (x + long * 0.84, y - 0.15),
        ],
        _shade(colour, 0.9),
    )
    canvas.rect(x, y - 0.16, x + long, y, colour)
    canvas.shape(
        [
            (x + long * 0.26, y - 0.16),
            (x + long * 0.35, y - 0.27),
            (x + long * 0.5, y - 0.27),
            (x + long * 0.5, y - 0.16),
        ],
        (190, 215, 235),
    )
    canvas.shape(
        [
            (x + long * 0.53, y - 0.16),
            (x + long * 0.53, y - 0.27),
            (x + long * 0.68, y - 0.27),
            (x + long * 0.77, y - 0.16),
        ],
        (190, 215, 235),
    )
    for place in (0.2, 0.8):
        canvas.oval(x + long * place - 0.07, y - 0.07, x + long * place + 0.07, y + 0.1, (30, 30, 32))
        canvas.oval(x + long * place - 0.03, y - 0.02, x + long * place + 0.03, y + 0.05, (170, 170, 175))


def _house(canvas: _Canvas) -> None:
    dice = canvas.dice
    x, y, wide, tall = (
        dice.uniform(0.15, 0.3),
        dice.uniform(0.75, 0.88),
        dice.uniform(0.4, 0.55),
        dice.uniform(0.3, 0.4),
    )
    wall = _muted(dice)
    canvas.rect(0, y, 1, 1, (90, 140, 70))
    canvas.rect(x, y - tall, x + wide, y, wall)
    canvas.shape(
        [(x - 0.05, y - tall), (x + wide + 0.05, y - tall), (x + wide / 2, y - tall - 0.25)],
        dice.choice([(150, 60, 45), (80, 80, 90)]),
    )
    for column in range(3):
        for row in range(2):
            left, top = x + wide * (0.1 + 0.3 * column), y - tall * (0.9 - 0.45 * row)
            canvas.rect(left, top, left + wide * 0.17, top + tall * 0.25, (200, 220, 240))
            canvas.line([(left + wide * 0.085, top), (left + wide * 0.085, top + tall * 0.25)], (250, 250, 250), 0.006)


def _trees(canvas: _Canvas) -> None:
    dice = canvas.dice
    canvas.rect(0, 0, 1, 0.6, dice.choice([(150, 200, 240), (240, 190, 140), (120, 140, 160)]))
    canvas.rect(0, 0.6, 1, 1, dice.choice([(90, 150, 70), (160, 150, 90), (230, 235, 240)]))
    for _ in range(dice.randint(2, 7)):
        x, y, tall = dice.uniform(0.05, 0.95), dice.uniform(0.65, 0.9), dice.uniform(0.25, 0.5)
        green = (dice.randint(20, 70), dice.randint(90, 140), dice.randint(30, 80))
        canvas.rect(x - 0.012, y - tall * 0.4, x + 0.012, y, (90, 60, 40))
        for step in range(3):
            half, top = 0.1 - 0.025 * step, y - tall * (0.35 + 0.28 * step)
            canvas.shape([(x - half, top + tall * 0.12), (x + half, top + tall * 0.12), (x, top - tall * 0.2)], green)


def _face(canvas: _Canvas) -> None:
    dice = canvas.dice
    middle, top = dice.uniform(0.4, 0.6), dice.uniform(0.12, 0.2)
    skin = dice.choice([(240, 205, 180), (200, 150, 115), (130, 90, 65), (90, 60, 45)])
    canvas.shape([(middle - 0.32, 1), (middle + 0.32, 1), (middle + 0.16, 0.72), (middle - 0.16, 0.72)], _bright(dice))
    canvas.rect(middle - 0.06, 0.6, middle + 0.06, 0.76, _shade(skin, 0.9))
    hair = dice.choice([(40, 28, 22), (120, 80, 40), (220, 190, 110), (90, 90, 95)])
    canvas.oval(middle - 0.2, top - 0.05, middle + 0.2, top + 0.42, hair)
    canvas.oval(middle - 0.16, top + 0.03, middle + 0.16, top + 0.52, skin)
    for side in (-1, 1):
        canvas.oval(middle + side * 0.07 - 0.025, top + 0.2, middle + side * 0.07 + 0.025, top + 0.25, (250, 250, 250))
        canvas.oval(middle + side * 0.07 - 0.011, top + 0.205, middle + side * 0.07 + 0.011, top + 0.245, (40, 40, 60))
    canvas.line([(middle - 0.06, top + 0.4), (middle, top + 0.42), (middle + 0.06, top + 0.4)], (160, 60, 60), 0.01)


def _chart(canvas: _Canvas) -> None:
    dice = canvas.dice
    canvas.rect(0, 0, 1, 1, (250, 250, 252))
    canvas.line([(0.1, 0.1), (0.1, 0.88), (0.95, 0.88)], (60, 60, 60), 0.006)
    bars = dice.randint(4, 9)
    if dice.random() < 0.5:
        for place in range(bars):
            x, tall = 0.13 + 0.8 * place / bars, dice.uniform(0.1, 0.7)
            canvas.rect(x, 0.88 - tall, x + 0.55 / bars, 0.88, _bright(dice))
    else:
        for _ in range(dice.randint(1, 3)):
            points = [(0.1 + 0.85 * place / bars, dice.uniform(0.15, 0.85)) for place in range(bars + 1)]
            canvas.line(points, _bright(dice), 0.008)
    canvas.rect(0.3, 0.03, 0.7, 0.06, (90, 90, 90))


def _page(canvas: _Canvas) -> None:
    dice = canvas.dice
    canvas.rect(0.08, 0.04, 0.92, 0.98, (252, 251, 247))
    y = 0.1
    while y < 0.93:
        x = 0.13
        end = 0.86 if dice.random() < 0.8 else dice.uniform(0.3, 0.8)
        while x < end:
            wide = dice.uniform(0.02, 0.08)
            canvas.rect(x, y, min(x + wide, end), y + 0.014, (50, 50, 55))
            x += wide + 0.012
        y += dice.choice([0.03, 0.03, 0.03, 0.06])


def _logo(canvas: _Canvas) -> None:
    dice = canvas.dice
    canvas.rect(0, 0, 1, 1, dice.choice([(255, 255, 255), (20, 24, 40), _bright(dice)]))
    for step in range(dice.randint(1, 3)):
        size = 0.3 - step * 0.09
        points = [
            (0.5 + size * 0.75 * math.cos(angle), 0.45 + size * math.sin(angle))
            for angle in (2 * math.pi * corner / dice.choice([3, 4, 5, 6, 8]) for corner in range(8))
        ]
        canvas.shape(points, _bright(dice))
    canvas.rect(0.3, 0.83, 0.7, 0.88, _bright(dice))


def _mug(canvas: _Canvas) -> None:
    dice = canvas.dice
    x, y, half, tall = (
        dice.uniform(0.38, 0.55),
        dice.uniform(0.7, 0.82),
        dice.uniform(0.13, 0.19),
        dice.uniform(0.32, 0.42),
    )
    colour = dice.choice([_bright(dice), (240, 240, 240)])
    canvas.oval(x + half * 0.6, y - tall * 0.85, x + half * 1.7, y - tall * 0.2, colour)
    canvas.oval(x + half * 0.75, y - tall * 0.7, x + half * 1.4, y - tall * 0.35, _muted(dice))
    canvas.rect(x - half, y - tall, x + half, y, colour)
    canvas.oval(x - half, y - 0.05, x + half, y + 0.05, colour)
    canvas.oval(x - half, y - tall - 0.05, x + half, y - tall + 0.05, _shade(colour, 0.85))
    canvas.oval(x - half * 0.85, y - tall - 0.035, x + half * 0.85, y - tall + 0.035, (80, 48, 30))


def _ball(canvas: _Canvas) -> None:
    dice = canvas.dice
    x, y, r = dice.uniform(0.35, 0.65), dice.uniform(0.45, 0.6), dice.uniform(0.16, 0.26)
    colour = _bright(dice)
    canvas.oval(x - r, y - r * 1.33, x + r, y + r * 1.33, colour)
    for step in range(5):
        inner = r * (0.3 - step * 0.05)
        canvas.oval(
            x - r * 0.35 - inner,
            y - r * 0.6 - inner,
            x - r * 0.35 + inner,
            y - r * 0.6 + inner,
            _shade(colour, 1.05 + step * 0.06),
        )
    if dice.random() < 0.6:
        canvas.line([(x - r, y), (x, y + r * 0.3), (x + r, y)], (250, 250, 250), 0.015)


def _mountains(canvas: _Canvas) -> None:
    dice = canvas.dice
    canvas.rect(0, 0, 1, 1, dice.choice([(140, 190, 235), (250, 200, 150), (180, 190, 210)]))
    for layer in range(4):
        edge, colour = 0.35 + layer * 0.14, (60 + layer * 10, 80 + layer * 22, 110 - layer * 14)
        points = [(place / 8, edge + dice.uniform(-0.12, 0.12)) for place in range(9)]
        canvas.shape([(0, 1), *points, (1, 1)], colour)
    if dice.random() < 0.5:
        canvas.oval(0.7, 0.08, 0.82, 0.24, (255, 240, 190))


def _street(canvas: _Canvas) -> None:
    dice = canvas.dice
    canvas.rect(0, 0, 1, 0.6, (170, 190, 215))
    x = 0.0
    while x < 1:
        wide, top = dice.uniform(0.1, 0.22), dice.uniform(0.08, 0.4)
        wall = _muted(dice)
        canvas.rect(x, top, x + wide, 0.75, wall)
        for row in range(6):
            for column in range(3):
                left, high = x + wide * (0.12 + 0.3 * column), top + 0.03 + row * 0.08
                if high < 0.68:
                    canvas.rect(
                        left, high, left + wide * 0.16, high + 0.045, dice.choice([(250, 230, 150), (70, 80, 100)])
                    )
        x += wide
    canvas.rect(0, 0.75, 1, 1, (80, 80, 85))
    for place in range(6):
        canvas.rect(place / 6 + 0.03, 0.87, place / 6 + 0.1, 0.885, (240, 240, 240))


def _shirt(canvas: _Canvas) -> None:
    dice = canvas.dice
    colour = dice.choice([_bright(dice), (240, 240, 240), (40, 44, 56)])
    canvas.shape(
        [(0.3, 0.2), (0.42, 0.16), (0.5, 0.22), (0.58, 0.16), (0.7, 0.2), (0.86, 0.4), (0.75, 0.48), (0.69, 0.4),
         (0.69, 0.88), (0.31, 0.88), (0.31, 0.4), (0.25, 0.48), (0.14, 0.4)],
        colour,
    )  # fmt: skip
    if dice.random() < 0.5:
        for stripe in range(5):
            canvas.line([(0.31, 0.45 + stripe * 0.08), (0.69, 0.45 + stripe * 0.08)], _shade(colour, 0.7), 0.012)


_OTHERS: list[Callable[[_Canvas], None]] = [
    _car, _house, _trees, _face, _chart, _page, _logo, _mug, _ball, _mountains, _street, _shirt,
]  # fmt: skip
