"""What happens in a run and when, as data: the same seed gives the same plan.

Points in time are counted in submissions sent and not in seconds, so that a plan replays on a slower machine.
"""

import enum
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from cakegate.local.sample import Faults

T = TypeVar("T")


class Target(enum.StrEnum):
    """What is struck; the names are the supervisor's."""

    GATEWAY = "gateway"
    WORKER = "worker"
    WRITER = "writer"
    SCHEDULER = "scheduler"
    VALKEY = "valkey"
    POSTGRES = "postgres"


class Blow(enum.StrEnum):
    """How."""

    KILL = "SIGKILL"
    KILL_AND_EMPTY = "SIGKILL, data lost"
    FREEZE = "SIGSTOP"


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """One blow, when `after` submissions were sent and the target is ready, or, where `early`, just started again.

    `seconds`: how long it stays frozen.
    """

    after: int
    target: Target
    blow: Blow
    early: bool = False
    seconds: float = 0.0


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """How the upstream behaves until so many submissions are done."""

    until: int
    name: str
    faults: Faults
    refuses: bool = False


class Then(enum.StrEnum):
    """What a client does when its cake was created."""

    NOTHING = "nothing"
    DELETE = "delete"
    REPLACE = "replace"
    REPLACE_AND_DELETE = "replace and delete"
    DELETED_BY_OTHERS = "deleted by others"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One submission of a client.

    `wait_seconds` is what it says in `Prefer`, 0 for `respond-async`; `patience_seconds` when it hangs up.
    """

    number: int
    picture: str
    name: str
    comment: str
    yum_factor: int
    key: str | None
    wait_seconds: int
    patience_seconds: float
    then: Then = Then.NOTHING


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    seed: int
    late_seconds: float
    orders: list[Order]
    strikes: list[Strike]
    spells: list[Spell]

    @property
    def kills(self) -> int:
        """How many of the strikes are SIGKILLs."""
        return sum(strike.blow is not Blow.FREEZE for strike in self.strikes)


_CAKE_WEIGHT: Final = 4
#: How long clients wait for their answers, in leases; 0: not at all.
_WAITS: Final = (0.0, 0.4, 0.8, 1.6, 1.6)
#: The chance that an order is, field by field, one that was sent before.
_TWIN_CHANCE: Final = 0.15
#: Strikes begin when this share of the orders is sent and end at that one, so that what follows is recovery.
_STRIKING: Final = (0.03, 0.97)
#: How long a process stays frozen, in leases.
_FREEZES: Final = (0.3, 1.3, 1.4)
#: The chance that a blow falls on a process that is still starting, where the one before hit it too.
_EARLY_CHANCE: Final = 0.25
_KILLS: Final = (*((target, Blow.KILL) for target in Target), (Target.VALKEY, Blow.KILL_AND_EMPTY))


def made(seed: int, *, submissions: int, kills: int, freezes: int, lease_seconds: float, pictures: list[str]) -> Plan:
    """A plan. The upstream's late writes take less than `lease_seconds`, frozen processes often more."""
    dice = random.Random(seed)
    late_seconds = lease_seconds * 0.6
    return Plan(
        seed=seed,
        late_seconds=late_seconds,
        orders=_orders(dice, submissions, pictures, lease_seconds=lease_seconds),
        strikes=_strikes(dice, submissions, kills=kills, freezes=freezes, lease_seconds=lease_seconds),
        spells=_spells(dice, submissions, late_seconds=late_seconds),
    )


def _orders(dice: random.Random, count: int, pictures: list[str], *, lease_seconds: float) -> list[Order]:
    orders: list[Order] = []
    # Most are cakes: only those get as far as the upstream.
    weights = [_CAKE_WEIGHT if picture.startswith("cake") else 1 for picture in pictures]
    for number in range(count):
        wait_seconds = round(dice.choice(_WAITS) * lease_seconds)
        order = Order(
            number=number,
            picture=dice.choices(pictures, weights=weights)[0],
            name=f"Chaos cake {number}",
            comment=f"Baked in the chaos run, number {number}",
            yum_factor=dice.randint(1, 5),
            key=f"order-{number}" if dice.random() < 0.75 else None,
            wait_seconds=wait_seconds,
            # Some hang up before their own wait is over.
            patience_seconds=dice.choice((1.0, 15.0, 15.0, 15.0)),
            then=dice.choices(list(Then), weights=(50, 20, 10, 10, 10))[0],
        )
        if orders and dice.random() < _TWIN_CHANCE:
            twin = dice.choice(orders)
            same = {field: getattr(twin, field) for field in ("picture", "name", "comment", "yum_factor")}
            order = msgspec.structs.replace(order, **same)
        orders.append(order)
    return orders


def _strikes(dice: random.Random, submissions: int, *, kills: int, freezes: int, lease_seconds: float) -> list[Strike]:
    """Each kind about equally often: rounds of all kinds, each in random order."""
    blows = [*_rounds(dice, _KILLS, kills)]
    for target in _rounds(dice, [*Target], freezes):
        blows.insert(dice.randint(0, len(blows)), (target, Blow.FREEZE))
    first, last = (int(submissions * share) for share in _STRIKING)
    # Evenly, give or take: those that fall together by chance leave nothing standing that could be struck.
    gap = (last - first) / max(1, len(blows))
    points = sorted(first + int((number + dice.random()) * gap) for number in range(len(blows)))
    return [
        Strike(
            after=after,
            target=target,
            blow=blow,
            early=dice.random() < _EARLY_CHANCE,
            seconds=dice.choice(_FREEZES) * lease_seconds if blow is Blow.FREEZE else 0.0,
        )
        for after, (target, blow) in zip(points, blows, strict=True)
    ]


def _rounds(dice: random.Random, kinds: Sequence[T], count: int) -> Iterator[T]:
    """`count` of the kinds: all of them in random order, then all of them in another."""
    rounds = (each for _ in range(0, count, len(kinds)) for each in dice.sample(kinds, len(kinds)))
    return itertools.islice(rounds, count)


def _moods(late_seconds: float) -> list[tuple[str, Faults]]:
    """The upstream's moods, each with the share of requests that feel it."""
    calm = Faults(write_latency_seconds=_WRITE_SECONDS)
    troubles = {
        "drops answers": Faults(drop_answer_share=0.4),
        "creates late, hangs up": Faults(late_share=0.4, late_seconds=late_seconds),
        "creates late, stalls": Faults(stall_share=0.4, late_seconds=late_seconds),
        "500 after the write": Faults(error_after_share=0.4),
        "500 before the write": Faults(error_share=0.4),
        "503 before the write": Faults(unavailable_share=0.4),
        "hangs up before the write": Faults(drop_request_share=0.4),
        "answers garbage": Faults(garbage_share=0.4),
        "redirects": Faults(redirect_share=0.3, redirect_after_share=0.3),
        "busy": Faults(busy_share=0.5),
        "slow": Faults(latency_seconds=0.5, list_latency_seconds=0.3),
        "everything": Faults(
            drop_answer_share=0.1, late_share=0.1, stall_share=0.1, late_seconds=late_seconds, error_after_share=0.1,
            error_share=0.1, garbage_share=0.1, redirect_after_share=0.1, busy_share=0.1, drop_request_share=0.1,
        ),
        "down": Faults(down=True),
        "refuses connections": calm,
    }  # fmt: skip
    slow = [
        (name, msgspec.structs.replace(faults, write_latency_seconds=_WRITE_SECONDS))
        for name, faults in troubles.items()
    ]
    return slow + [("calm", calm)] * _CALMS


#: It is never fast: blows shall fall on open writes.
_WRITE_SECONDS: Final = 0.1
#: How often it is calm where each trouble has its turn once.
_CALMS: Final = 3
#: How many spells a run has at most, and how many submissions one lasts at least.
_SPELLS: Final = 50
_SPELL_SUBMISSIONS: Final = 5


def _spells(dice: random.Random, submissions: int, *, late_seconds: float) -> list[Spell]:
    """Each mood about equally often, in random order, each as long as the others."""
    moods = _moods(late_seconds)
    count = min(_SPELLS, submissions // _SPELL_SUBMISSIONS)
    return [
        Spell(until=number * submissions // count, name=name, faults=faults, refuses=name == "refuses connections")
        for number, (name, faults) in enumerate(_rounds(dice, moods, count), start=1)
    ]
