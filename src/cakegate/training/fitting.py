"""The training loop: seeded, timed, with checkpoints, so that a run can be stopped and resumed.

The learning rate follows the share of the budget that is spent: of minutes, which mean what they say on any machine, or
of samples, so that runs compare whatever else the machine did meanwhile.
One thread with bfloat16 is several times faster than two with float32 on processors that have it.
"""

import copy
import math
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch.nn import functional

from cakegate.domain import errors
from cakegate.training import augmenting, data, network, scoring
from cakegate.training.config import Config

_CHECKPOINT_SECONDS = 300.0


def averaged(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The averaged network of a run's checkpoint, as its state.

    Raises:
        InvalidSettings: it is no checkpoint.
    """
    try:
        found: dict[str, torch.Tensor] = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise errors.InvalidSettings(f"{checkpoint} is no checkpoint: {error}") from error
    return found


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How long to train: until the first of these is spent, what was spent before a resume counted in."""

    minutes: float = math.inf
    samples: float = math.inf


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a run: figures are of the averaged network on validation."""

    samples: int
    loss: float
    auc: float
    seconds_left: float


class Fitter:
    """One run. `run()` returns the averaged network; state lies in `checkpoint` after each evaluation."""

    def __init__(
        self,
        config: Config,
        pictures: data.Pictures,
        split: data.Split,
        *,
        checkpoint: Path,
        report: Callable[[Progress], None],
    ) -> None:
        self._config = config
        self._pictures = pictures
        self._split = split
        self._checkpoint = checkpoint
        self._report = report
        torch.manual_seed(config.seed)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._net = network.Network(config, kinds=len(pictures.kind_names)).to(self._device)
        self._net = self._net.to(memory_format=torch.channels_last)
        self._average = copy.deepcopy(self._net).eval()
        decayed = [p for p in self._net.parameters() if p.ndim > 1]
        plain = [p for p in self._net.parameters() if p.ndim <= 1]
        self._optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=config.learning_rate,
        )
        self._steps = 0
        self._spent_seconds = 0.0

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one."""
        if not self._checkpoint.is_file():
            return False
        state = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        self._net.load_state_dict(state["net"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._steps, self._spent_seconds = state["steps"], state["spent_seconds"]
        return True

    def begin_with(self, state: dict[str, torch.Tensor]) -> bool:
        """Begin with another run's network; whether it tells as many kinds, so that those could be kept.

        Raises:
            InvalidSettings: it is of another shape.
        """
        own = self._net.state_dict()
        # Packs do not hold how many batches the normalisation has seen: nothing is computed from that.
        state = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")} | state
        same_kinds = "kind.weight" in state and state["kind.weight"].shape == own["kind.weight"].shape
        if not same_kinds:
            state |= {name: own[name] for name in ("kind.weight", "kind.bias")}
        try:
            self._net.load_state_dict(state)
        except RuntimeError as error:
            raise errors.InvalidSettings(f"The network to begin with is of another shape: {error}") from error
        self._average.load_state_dict(state)
        return same_kinds

    def _save(self) -> None:
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(
            {
                "net": self._net.state_dict(),
                "average": self._average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "steps": self._steps,
                "spent_seconds": self._spent_seconds,
            },
            partial,
        )
        partial.replace(self._checkpoint)

    def _spent(self, budget: Budget) -> float:
        """The share of a budget that is spent, 0 to 1 and a little above."""
        samples = self._steps * self._config.batch
        return max(self._spent_seconds / (budget.minutes * 60), samples / budget.samples)

    def run(self, budget: Budget) -> network.Network:
        """Train until the budget is spent; the averaged network."""
        # A resumed run draws other pictures than it did before it stopped.
        chance = np.random.default_rng([self._config.seed, self._steps])
        torch_chance = torch.Generator().manual_seed(self._config.seed + self._steps)
        probabilities = _sampling(self._pictures, self._split.training, self._config)
        losses: list[float] = []
        saved_at = time.monotonic()
        while (spent := self._spent(budget)) < 1.0:
            started = time.monotonic()
            index = chance.choice(self._split.training, self._config.batch, p=probabilities)
            losses.append(self._step(index, chance, torch_chance, spent=spent))
            now = time.monotonic()
            self._spent_seconds += now - started
            if now - saved_at > _CHECKPOINT_SECONDS or self._spent(budget) >= 1.0:
                self._save()
                self._tell(losses, spent=self._spent(budget))
                losses.clear()
                saved_at = time.monotonic()
        return self._average

    def _tell(self, losses: list[float], *, spent: float) -> None:
        place = self._split.validation if len(self._split.validation) else self._split.apart
        scores = torch.sigmoid(torch.from_numpy(logits(self._average, self._pictures, place, self._config))).numpy()
        self._report(
            Progress(
                samples=self._steps * self._config.batch,
                loss=float(np.mean(losses)) if losses else math.nan,
                auc=scoring.auc(self._pictures.labels[place], scores),
                seconds_left=self._spent_seconds * max(0.0, 1.0 / spent - 1.0),
            )
        )

    def _step(
        self, index: np.ndarray, chance: np.random.Generator, torch_chance: torch.Generator, *, spent: float
    ) -> float:
        config = self._config
        degraded = np.stack([augmenting.degrade(self._pictures.pixels[place], chance) for place in index])
        batch = augmenting.augment(
            torch.from_numpy(degraded),
            side_pixels=config.trained_pixels,
            least_area=config.crop_least_area,
            generator=torch_chance,
        )
        labels = torch.from_numpy(self._pictures.labels[index]).float()
        kinds = torch.from_numpy(self._pictures.kinds[index])
        batch, share = self._mixed(batch, chance, torch_chance)
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate * _schedule(spent, config.warmup_share)
        loss = self._loss(_normalised(batch).to(self._device), labels.to(self._device), kinds.to(self._device), share)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._net.parameters(), 2.0)
        self._optimiser.step()
        self._steps += 1
        self._fold()
        return float(loss.detach())

    def _mixed(
        self, batch: torch.Tensor, chance: np.random.Generator, torch_chance: torch.Generator
    ) -> tuple[torch.Tensor, float]:
        """Perhaps each picture mixed with its mirror in the batch, and the share of it that is its own."""
        way, part = chance.random(), chance.beta(0.3, 0.3)
        if way < self._config.mixup_share:
            share = float(max(part, 1 - part))
            return share * batch + (1 - share) * batch.flip(0), share
        if way < self._config.mixup_share + self._config.cutmix_share:
            share = float(chance.uniform(0.5, 1.0))
            return augmenting.cut_and_paste(batch, share=share, generator=torch_chance)
        return batch, 1.0

    def _loss(self, batch: torch.Tensor, labels: torch.Tensor, kinds: torch.Tensor, share: float) -> torch.Tensor:
        """Of a batch of which each picture is mixed with its mirror in the batch, `share` of it its own."""
        config = self._config
        self._net.train()
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            cake, kind = self._net(batch.contiguous(memory_format=torch.channels_last))
        cake, kind = cake.float(), kind.float()
        total = torch.zeros((), device=self._device)
        for weight, flipped in ((share, False), (1 - share, True)):
            if weight <= 0:
                continue
            label, name = (labels.flip(0), kinds.flip(0)) if flipped else (labels, kinds)
            smooth = label * (1 - config.label_smoothing) + config.label_smoothing / 2
            total = total + weight * functional.binary_cross_entropy_with_logits(cake, smooth)
            if (name >= 0).any():
                side = functional.cross_entropy(kind, name, ignore_index=-1, label_smoothing=config.label_smoothing)
                total = total + weight * config.auxiliary_weight * side
        return total

    @torch.no_grad()
    def _fold(self) -> None:
        """Move the averaged network towards the trained one; quickly at first."""
        keep = min(self._config.ema, (1 + self._steps) / (10 + self._steps))
        for average, current in zip(self._average.state_dict().values(), self._net.state_dict().values(), strict=True):
            if average.dtype.is_floating_point:
                average.mul_(keep).add_(current, alpha=1 - keep)
            else:
                average.copy_(current)


def _normalised(batch: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(network.MEAN).view(1, 3, 1, 1), torch.tensor(network.STD).view(1, 3, 1, 1)
    return (batch - mean) / std


def _schedule(spent: float, warmup: float) -> float:
    """Up in a line, then down a cosine, over the share of the time that is spent."""
    if spent < warmup:
        return max(spent / warmup, 0.02)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (spent - warmup) / (1 - warmup)))) * 0.99 + 0.01


def _sampling(pictures: data.Pictures, training: np.ndarray, config: Config) -> np.ndarray:
    """Each training picture's chance: archives by their weight, both labels of an archive alike where it has both."""
    groups: dict[tuple[str, int], list[int]] = {}
    for position, place in enumerate(training):
        archive = pictures.archives[place]
        name = next((name for name in config.weights if archive.startswith(name)), "other")
        groups.setdefault((name, int(pictures.labels[place])), []).append(position)
    chances = np.zeros(len(training))
    for (name, label), positions in groups.items():
        both = (name, 1 - label) in groups
        few = len(positions) < 0.1 * len(groups.get((name, 1 - label), []))
        part = 0.05 if few else (0.5 if both else 1.0)
        chances[positions] = config.weights[name] * part / len(positions)
    return chances / chances.sum()


@torch.no_grad()
def logits(net: network.Network, pictures: data.Pictures, index: np.ndarray, config: Config) -> np.ndarray:
    """The network's cake logits (n,) for whole pictures, scaled from their stored size to its input."""
    device = next(net.parameters()).device
    net.eval()
    found = []
    for start in range(0, len(index), 256):
        pixels = torch.from_numpy(pictures.pixels[index[start : start + 256]]).permute(0, 3, 1, 2).float() / 255
        if pixels.shape[-1] != config.side_pixels:
            size = (config.side_pixels, config.side_pixels)
            pixels = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
        found.append(net(_normalised(pixels).to(device))[0].cpu().numpy())
    return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)


def temperature(labels: np.ndarray, raw: np.ndarray) -> float:
    """The number by which logits are divided so that scores mean what they say: least loss on validation."""
    target, values = torch.from_numpy(labels).float(), torch.from_numpy(raw).float()
    candidates = np.exp(np.linspace(math.log(0.3), math.log(4.0), 120))
    losses = [
        float(functional.binary_cross_entropy_with_logits(values / float(candidate), target))
        for candidate in candidates
    ]
    return float(candidates[int(np.argmin(losses))])
