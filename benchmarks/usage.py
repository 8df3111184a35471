"""What processes cost: processor time, memory, descriptors, threads, of a process and all that it started."""

import contextlib
import os
from collections.abc import Iterable

import msgspec
import psutil


def family(pid: int) -> list[psutil.Process]:
    """A process and its living descendants."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, of what they started, and of what has ended among that and was reaped.

    Processor time, and not time on the clock: what else the machine does falls on it least.
    """
    total = 0.0
    for pid in pids:
        for each in family(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                spent = each.cpu_times()
                # The last two are Linux's and 0 elsewhere.
                total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def load_average() -> str:
    """What the machine did meanwhile: figures taken on a busy one are worth less, and say so."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def own_cpu_seconds(pid: int) -> float:
    """User and system time of one process alone, without what it started."""
    spent = psutil.Process(pid).cpu_times()
    return float(spent.user + spent.system)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of one kind hold together, and how many they are."""

    processes: int
    memory_bytes: int
    descriptors: int
    threads: int


def sample(processes: Iterable[psutil.Process]) -> Sample:
    """Of these processes now. Memory that they share with others, as Postgres's buffers, is left out."""
    count = memory_bytes = descriptors = threads = 0
    for each in processes:
        # One that has ended meanwhile holds nothing.
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = each.memory_info()
            memory_bytes += memory.rss - getattr(memory, "shared", 0)  # the latter is Linux's
            descriptors += each.num_fds()
            threads += each.num_threads()
            count += 1
    return Sample(processes=count, memory_bytes=memory_bytes, descriptors=descriptors, threads=threads)
