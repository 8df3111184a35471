"""`cakegate submit`, and what the demo shares with it: lend a picture an address, post it, read the answer."""

import mimetypes
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from rich.console import Console

from cakegate.domain import errors
from cakegate.local import stack

CREATED: Final = 0
NOT_CREATED: Final = 1
IN_WORK: Final = 3

#: Longer than any wait that the gateway grants.
_TIMEOUT_SECONDS: Final = 75.0
_ASK_SECONDS: Final = 0.5


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a client got for a submission, and in how many milliseconds."""

    status: int
    body: dict[str, Any]
    location: str | None
    milliseconds: float

    @property
    def result(self) -> str:
        """One word for it."""
        if self.status == 201:  # noqa: PLR2004
            return "created"
        return str(self.body.get("state") or self.body.get("type", "").rpartition("/")[2] or self.status)

    @property
    def score(self) -> float | None:
        """The model's score, where the answer holds one."""
        verdict = self.body.get("verdict") or {}
        return verdict.get("score")

    @property
    def why(self) -> str:
        """The reason, or what it became."""
        if self.status == 201:  # noqa: PLR2004
            return f"cake {self.body.get('id')}"
        known = self.body.get("imageProblem") or self.body.get("reason") or self.body.get("detail")
        return str(known or self.location or "")


def post(client: httpx.Client, *, image_url: str, name: str, comment: str, yum: int, wait_seconds: float) -> Outcome:
    """Submit a cake and wait for its end. Raises `httpx.HTTPError`."""
    started = time.perf_counter()
    response = client.post(
        "/api/cakes",
        json={"name": name, "comment": comment, "imageUrl": image_url, "yumFactor": yum},
        headers={"Prefer": f"wait={int(wait_seconds)}"},
        timeout=_TIMEOUT_SECONDS,
    )
    outcome = _outcome(response, started)
    via = response.links.get("via")
    if via is None:
        return outcome
    # The answer is the cake alone; what the model said of it stands in the submission behind it.
    verdict = client.get(via["url"]).json().get("verdict")
    return msgspec.structs.replace(outcome, body={**outcome.body, "verdict": verdict})


def follow(client: httpx.Client, outcome: Outcome, *, until: float) -> Outcome:
    """Ask for a submission that is in work until it has ended or the monotonic clock says `until`."""
    started = time.perf_counter()
    found = outcome
    while found.status == 202 and found.body.get("state") != "review" and time.monotonic() < until:  # noqa: PLR2004
        time.sleep(_ASK_SECONDS)  # between two questions
        response = client.get(str(outcome.location))
        view = response.json()
        status = {"created": 201, "rejected": 422, "failed": 502}.get(view.get("state"), 202)
        body = {**view["cake"], "verdict": view.get("verdict")} if status == 201 else view  # noqa: PLR2004
        milliseconds = outcome.milliseconds + (time.perf_counter() - started) * 1000
        found = Outcome(status=status, body=body, location=outcome.location, milliseconds=milliseconds)
    return found


def _outcome(response: httpx.Response, started: float) -> Outcome:
    try:
        body = response.json()
    except ValueError:
        body = {"detail": response.text[:200]}
    return Outcome(
        status=response.status_code,
        body=body if isinstance(body, dict) else {},
        location=response.headers.get("location"),
        milliseconds=(time.perf_counter() - started) * 1000,
    )


def submit(picture: str, *, name: str, comment: str, yum: int, wait_seconds: float, folder: Path | None) -> int:
    """Submit a file or a URL and say what came of it; the exit status.

    Raises:
        InvalidSettings: no stack runs that could serve the file, or the file is not there.
        QueueUnavailable: the gateway cannot be reached.
    """
    console = Console(highlight=False, markup=False, emoji=False)  # answers are shown as they are
    lent: Path | None = None
    image_url = picture
    if "://" not in picture:
        lent, image_url = _lend(Path(picture), folder)
    try:
        with (
            httpx.Client(base_url=stack.gateway_url(folder), trust_env=False) as client,
            console.status(f"submitting {picture} …"),
        ):
            outcome = post(client, image_url=image_url, name=name, comment=comment, yum=yum, wait_seconds=wait_seconds)
            outcome = follow(client, outcome, until=time.monotonic() + wait_seconds)
    except httpx.HTTPError as error:
        raise errors.Unavailable(f"The gateway cannot be reached: {error}") from error
    finally:
        if lent is not None:
            lent.unlink(missing_ok=True)
    _print(console, outcome)
    if outcome.status == 201:  # noqa: PLR2004
        return CREATED
    return IN_WORK if outcome.status == 202 else NOT_CREATED  # noqa: PLR2004


def _lend(path: Path, folder: Path | None) -> tuple[Path, str]:
    """Put a file among the sample API's pictures under a name that nobody guesses, and say its address there."""
    found = stack.find(folder)
    if found is None or found.pictures is None:
        raise errors.InvalidSettings("A file can be submitted to a running local stack alone; give a URL instead.")
    if not path.is_file():
        raise errors.InvalidSettings(f"There is no file {path}.")
    suffix = path.suffix if mimetypes.guess_type(path.name)[0] else ""
    lent = Path(found.pictures) / f"{secrets.token_hex(12)}{suffix}"
    shutil.copyfile(path, lent)
    return lent, f"{found.sample_url}/pictures/{lent.name}"


def _print(console: Console, outcome: Outcome) -> None:
    score = f", score {outcome.score:.3f}" if outcome.score is not None else ""
    console.print(f"{outcome.status} {outcome.result}{score}: {outcome.why} ({outcome.milliseconds:.0f} ms)")
    for field in outcome.body.get("errors") or ():
        console.print(f"  {field['field']}: {field['message']}")
