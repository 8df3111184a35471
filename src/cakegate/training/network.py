"""A small residual network, trained from scratch: cake or not, and beside it the kind of food or thing."""

import torch
from torch import nn

from cakegate.training.config import Config

#: ImageNet's channel means and deviations, the customary scaling of photographs to about zero mean, unit variance.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, inner: int, outer: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outer)
        self.second = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outer)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inner != outer:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride != 1 else nn.Identity(),
                nn.Conv2d(inner, outer, 1, bias=False),
                nn.BatchNorm2d(outer),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inner, h, w) to (n, outer, h / stride, w / stride)."""
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Network(nn.Module):
    """(n, 3, side, side) normalised pictures to one cake logit and `kinds` logits each."""

    def __init__(self, config: Config, *, kinds: int) -> None:
        super().__init__()
        stem, *stages = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        layers: list[nn.Module] = []
        inner = stem
        for outer, count in zip(stages, config.blocks, strict=True):
            for place in range(count):
                layers.append(Block(inner, outer, stride=2 if place == 0 else 1))
                inner = outer
        self.stages = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.cake = nn.Linear(inner, 1)
        self.kind = nn.Linear(inner, max(kinds, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n,) and (n, kinds)."""
        features = self.dropout(self.stages(self.stem(x)).mean(dim=(2, 3)))
        return self.cake(features).squeeze(1), self.kind(features)


class Exported(nn.Module):
    """What goes into the pack: scaling, network and temperature in one, so that no caller can get them wrong.

    Input (n, side, side, 3) uint8 RGB; outputs (n,) probabilities of a cake and (n, k) of the k kinds that are told.
    With `flip_averaged` each picture's mirror image is judged too. `merging` (kinds, k) says which of the network's
    kinds are told as one, `of_cakes` (kinds,) which are kinds of cakes: their probabilities add up to that of a cake.
    """

    def __init__(
        self,
        network: Network,
        *,
        temperature: float,
        flip_averaged: bool,
        merging: torch.Tensor,
        of_cakes: torch.Tensor,
    ) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature
        self.flip_averaged = flip_averaged
        self.tells_kinds = merging.shape[1] > 0
        self.register_buffer("scale", 1.0 / (255.0 * torch.tensor(STD)).view(1, 3, 1, 1))
        self.register_buffer("shift", -(torch.tensor(MEAN) / torch.tensor(STD)).view(1, 3, 1, 1))
        self.register_buffer("merging", merging)
        self.register_buffer("of_cakes", of_cakes)

    def logits(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """uint8 pictures to cake logits (n,), not yet divided by the temperature, and kind logits (n, kinds)."""
        x = pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift
        if not self.flip_averaged:
            cake, kind = self.network(x)
            return cake, kind
        # Two halves of one batch, not two networks in the graph: the file stays as small as it was.
        cake, kind = self.network(torch.cat([x, x.flip(3)]))
        return cake.reshape(2, -1).mean(dim=0), kind.reshape(2, -1, kind.shape[1]).mean(dim=0)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """uint8 pictures to probabilities; where no kinds are told, of a cake alone."""
        cake, kind = self.logits(pixels)
        score = torch.sigmoid(cake / self.temperature)
        if not self.tells_kinds:
            return (score,)
        given = torch.exp(kind - kind.max(dim=1, keepdim=True).values)
        cakes, others = given * self.of_cakes, given * (1 - self.of_cakes)
        parts = [
            share.unsqueeze(1) * part / part.sum(dim=1, keepdim=True).clamp(min=1e-9)
            for share, part in ((score, cakes), (1 - score, others))
        ]
        return score, ((parts[0] + parts[1]) @ self.merging).clamp(0.0, 1.0)
