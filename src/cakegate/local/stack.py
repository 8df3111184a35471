"""A stack's state folder: its lock, its ports, and `stack.json`, by which the other verbs find it."""

import fcntl
import itertools
import os
import socket
from pathlib import Path
from typing import IO

import msgspec

from cakegate import contract, settings
from cakegate.domain import errors
from cakegate.local import servers

DEFAULT_FOLDER = Path(".cakegate")
_STACK_FILE = "stack.json"
_PORTS_FILE = "ports.json"

#: Every port that a stack may need, and the one that is tried first.
PORTS: dict[str, int] = {
    "gateway": contract.GATEWAY_PORT,
    "sample": contract.SAMPLE_PORT,
    "postgres": 5433,
    "valkey": 6380,
    "gateway_metrics": contract.METRICS_PORT,
    "worker_metrics": 9110,
    "writer_metrics": 9120,
    "scheduler_metrics": 9130,
    "worker_health": contract.HEALTH_PORT,
    "writer_health": 9111,
    "scheduler_health": 9121,
}


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A running stack. `sample_url` and `pictures` are None where it stands before another legacy API."""

    pid: int
    gateway_url: str
    upstream_url: str
    sample_url: str | None
    pictures: str | None
    database_url: str
    redis_url: str
    metrics_urls: dict[str, str]


class Lock:
    """A state folder and ports, held as long as the process that took them lives, however it ends."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._claims: list[socket.socket] = []

    def claim(self, port: int) -> bool:
        """Keep a port from other stacks from now on; False if one of them has it.

        Between choosing a port and a server that listens on it lie seconds, in which another stack would find it free
        too. The UDP port of the same number, which none of the servers uses, says that it is spoken for; the kernel
        takes the claim back when we are gone.
        """
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return True

    def release(self) -> None:
        """Let another stack have the folder and the ports."""
        for claim in self._claims:
            claim.close()
        self._file.close()


def prepare(folder: Path) -> Lock:
    """Make the state folder and lock it.

    Raises:
        InvalidSettings: a stack runs in it already, or it cannot be written.
    """
    try:
        # As root, Postgres runs as another user and must be able to pass through; what is secret is closed by itself.
        folder.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        file = (folder / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise errors.InvalidSettings(f"The state folder {folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise errors.InvalidSettings(
            f"A stack runs in {folder} already, as process {holder}. Choose another folder with --state."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return Lock(file)


def choose_ports(folder: Path, lock: Lock, *, wanted: dict[str, int]) -> dict[str, int]:
    """Ports that are free now and kept from other stacks: `wanted` ones, else those of last time, the usual ones, any.

    Raises:
        InvalidSettings: a wanted one is taken.
    """
    path = folder / _PORTS_FILE
    try:
        remembered = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        remembered = {}
    for name, port in wanted.items():
        if not _take(lock, port):
            raise errors.InvalidSettings(f"Port {port}, wanted for {name}, is taken.")
    chosen = dict(wanted)
    for name, usual in PORTS.items():
        if name not in chosen:
            candidates = itertools.chain((remembered.get(name, usual), usual), iter(servers.free_port, None))
            chosen[name] = next(port for port in candidates if _take(lock, port))
    path.write_bytes(msgspec.json.encode(chosen))
    return chosen


def _take(lock: Lock, port: int) -> bool:
    return servers.is_free(port) and lock.claim(port)


def publish(folder: Path, stack: Stack) -> None:
    """Write stack.json, for its owner's eyes: it holds passwords."""
    partial = folder / f"{_STACK_FILE}.partial"
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(stack), indent=2))
    partial.rename(folder / _STACK_FILE)


def withdraw(folder: Path) -> None:
    """The stack is gone."""
    (folder / _STACK_FILE).unlink(missing_ok=True)


def find(folder: Path | None) -> Stack | None:
    """The stack that runs in a state folder (default: the usual one), or None.

    Raises:
        InvalidSettings: a folder was named and no stack runs in it.
    """
    path = (folder or DEFAULT_FOLDER) / _STACK_FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Stack)
        os.kill(found.pid, 0)
    except (OSError, msgspec.MsgspecError) as error:
        if folder is not None:
            raise errors.InvalidSettings(f"No stack runs in {folder}.") from error
        return None
    return found


def database(folder: Path | None) -> settings.Database:
    """The database of a running stack, else of the settings. Raises `InvalidSettings` where there is neither."""
    found = find(folder)
    if found is not None:
        return settings.Database(url=settings.SecretUrl(found.database_url), pool_min=1, pool_max=2)
    config = settings.from_env()
    config.require("database.url")
    return config.database


def gateway_url(folder: Path | None) -> str:
    """The gateway of a running stack, else one on this machine at the settings' port."""
    found = find(folder)
    return found.gateway_url if found else f"http://127.0.0.1:{settings.from_env().gateway.port}"
