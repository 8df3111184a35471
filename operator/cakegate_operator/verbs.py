"""The operator's verbs of the command line. Loading them loads neither kopf nor a Kubernetes client."""

import importlib
from typing import Any

import click

from cakegate.domain.errors import InvalidSettings


@click.command()
def operator() -> None:
    """Look after the CakeBakery resources of a cluster, or of some of its namespaces."""
    _loaded("process").run()


@click.command()
@click.argument("name", required=False)
@click.option("-n", "--namespace", default=None, help="Namespace; default: the context's, or all without a NAME.")
@click.option("--kubeconfig", type=click.Path(dir_okay=False), default=None, help="Default: as kubectl's.")
@click.option("--context", default=None, help="Context of the kubeconfig.")
def status(name: str | None, namespace: str | None, kubeconfig: str | None, context: str | None) -> None:
    """Say how a CakeBakery stands; without a NAME, all of them in a line each.

    Exits with 1 where one is not ready.
    """
    _loaded("status").show(name, namespace=namespace, kubeconfig=kubeconfig, context=context)


def _loaded(module: str) -> Any:
    try:
        return importlib.import_module(f"cakegate_operator.{module}")
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"{error.name} is not installed: pip install 'cakegate[operator]'") from error
