"""The verbs. Each loads its process lazily: `cakegate --help` imports no server, and a worker no gateway."""

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import cakegate
from cakegate import settings
from cakegate.domain import errors

_STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="State folder of the stack; default: .cakegate in this folder.",
)


class Verbs(click.Group):
    """Groups of verbs that live with what they do, loaded when they are asked for."""

    lazy = {  # noqa: RUF012
        "model": "cakegate.training.verbs:model",
        "operator": "cakegate_operator.verbs:operator",
        "status": "cakegate_operator.verbs:status",
        "submissions": "cakegate.local.reviewing:submissions",
    }

    #: Verbs of those groups that live with something else.
    guests = {  # noqa: RUF012
        "model": ("cakegate.local.comparing:compare", "cakegate.local.exporting:export_reviews"),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One verb."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        command = _loaded(self.lazy[cmd_name])
        if isinstance(command, click.Group):
            for guest in self.guests.get(cmd_name, ()):
                command.add_command(_loaded(guest))
        return command


def _loaded(place: str) -> click.Command:
    module, _, name = place.partition(":")
    command: click.Command = getattr(import_module(module), name)
    return command


def main() -> None:
    """The command line: 2 and one line on standard error for what the user can mend."""
    try:
        verbs(prog_name="cakegate")
    except errors.CakegateError as error:
        click.echo(f"cakegate: {error}", err=True)
        sys.exit(2)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(cakegate.__version__, package_name="cakegate")
def verbs() -> None:
    """A gateway that judges pictures of cakes in front of a legacy Cake API."""


def _configured(run: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the settings, read now."""

    @functools.wraps(run)
    def wrapped(**options: Any) -> None:
        run(settings.from_env(), **options)

    return wrapped


@verbs.command()
@_configured
def gateway(config: settings.Settings) -> None:
    """Serve the public API."""
    from cakegate.gateway import app  # noqa: PLC0415 - lazy, as all below

    app.run(config)


@verbs.command()
@click.option("--queues", default="judge,bulk", show_default=True, help="Queues to work on: judge, bulk, create.")
@_configured
def worker(config: settings.Settings, *, queues: str) -> None:
    """Judge pictures, or create accepted cakes upstream."""
    from cakegate.worker import app  # noqa: PLC0415

    app.run(config, queues=[name.strip() for name in queues.split(",") if name.strip()])


@verbs.command()
@_configured
def scheduler(config: settings.Settings) -> None:
    """Do periodic work: bring back what was dropped. One leads, the others stand by."""
    from cakegate.scheduler import app  # noqa: PLC0415

    app.run(config)


@verbs.command()
@click.option("--list", "listing", is_flag=True, help="List the migrations and say which are applied.")
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(0, 3600),
    default=0,
    show_default=True,
    help="Seconds to wait for a database that does not answer yet.",
)
@_configured
def migrate(config: settings.Settings, *, listing: bool, wait_seconds: float) -> None:
    """Bring the database schema up to date; safe to run twice and from many places at once."""
    from cakegate.adapters.store import migrations  # noqa: PLC0415

    config.require("database.url")
    if listing:
        for each in migrations.listing(config.database.url):
            click.echo(f"{each.version}  {'applied' if each.applied else 'pending'}  {each.title}")
        return
    say = functools.partial(click.echo, err=True)
    migrations.wait(config.database.url, seconds=wait_seconds, say=say)
    click.echo(f"schema {migrations.upgrade(config.database.url, say=say)}")


@verbs.command()
@_STATE
@click.option(
    "--gateway-port", type=click.IntRange(1, 65_535), help="Port of the gateway; default: 8000 or a free one."
)
@click.option(
    "--upstream-url", metavar="URL", help="Stand before this legacy API, and start no sample; as CAKEGATE_UPSTREAM_URL."
)
@click.option("--demo", is_flag=True, help="Submit pictures and print what each client got.")
@click.option("--exit", "leave", is_flag=True, help="With --demo: stop when the table is printed.")
def up(*, state: Path | None, gateway_port: int | None, upstream_url: str | None, demo: bool, leave: bool) -> None:
    """Run the whole stack on this machine, with private Postgres and Valkey and a sample legacy API."""
    from cakegate.local import demo as demonstration  # noqa: PLC0415
    from cakegate.local import stack  # noqa: PLC0415
    from cakegate.local import up as local  # noqa: PLC0415

    options = local.Options(
        folder=state or stack.DEFAULT_FOLDER,
        gateway_port=gateway_port,
        upstream_url=upstream_url,
        logs_to_files=demo,
    )
    try:
        if demo:
            demonstration.run(options, leave=leave)
        else:
            local.run(options)
    except local.Stopped:
        sys.exit(130)  # as a shell says it of what Ctrl-C ended


@verbs.command()
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where it keeps its cakes."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8900, show_default=True, help="Port to listen on.")
@click.option(
    "--faults", default="{}", metavar="JSON", help='Its troubles: {"latency_seconds": 0.2}; also by POST /faults.'
)
@click.option("--pictures", is_flag=True, help="First draw the demo's pictures, to be submitted as URL/pictures/NAME.")
def sample(*, folder: Path, host: str, port: int, faults: str, pictures: bool) -> None:
    """Serve the sample legacy API, for demos and tests."""
    from cakegate.local import sample as api  # noqa: PLC0415

    if pictures:
        from cakegate.local import exhibits  # noqa: PLC0415

        exhibits.draw(folder / "pictures")
    api.run(folder, host=host, port=port, faults=faults)


@verbs.command()
@click.argument("picture")
@click.option("--name", default="A cake of my own", show_default=True, help="The cake's name.")
@click.option("--comment", default="Submitted from the command line", show_default=True, help="A comment.")
@click.option("--yum", type=click.IntRange(1, 5), default=5, show_default=True, help="The yum factor.")
@click.option(
    "--wait", type=click.FloatRange(0, 60), default=30, show_default=True, help="Seconds to wait for its end."
)
@_STATE
def submit(*, picture: str, name: str, comment: str, yum: int, wait: float, state: Path | None) -> None:
    """Submit PICTURE, a file or a URL, and print the verdict. Ends with 0 if created, 1 if not, 3 if still in work."""
    from cakegate.local import submitting  # noqa: PLC0415

    sys.exit(submitting.submit(picture, name=name, comment=comment, yum=yum, wait_seconds=wait, folder=state))


@verbs.command("settings")
@click.option("--markdown", "form", flag_value="markdown", help="As docs/configuration.md.")
@click.option("--env", "form", flag_value="env", help="As .env.template.")
def show_settings(*, form: str | None) -> None:
    """Print the settings in force, or what can be set."""
    from cakegate import settings_pages  # noqa: PLC0415

    if form == "markdown":
        click.echo(settings_pages.as_markdown(), nl=False)
    elif form == "env":
        click.echo(settings_pages.as_env_template(), nl=False)
    else:
        for line in settings_pages.in_force(settings.from_env()):
            click.echo(line)


@verbs.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    import msgspec  # noqa: PLC0415

    from cakegate.gateway import openapi as description  # noqa: PLC0415

    click.echo(msgspec.json.format(msgspec.json.encode(description.document()), indent=2))
