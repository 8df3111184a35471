"""Secrets: which ones a bakery needs, which of them are ours to make, and where what is in them is found.

A generated password is made once, by whoever creates its Secret, and lives as long as the volume that knows it: such a
Secret is `kept`. Nothing here sees a value but the functions that reconcile hands one to.
"""

import base64
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cakegate_operator import bakery, names
from cakegate_operator.build import objects
from cakegate_operator.inputs import Endpoint, Inputs, Object

SECRET: Final = ("v1", "Secret")

URL: Final = "url"
USERNAME: Final = "username"
PASSWORD: Final = "password"  # noqa: S105 - a key, no password
DATABASE_USER: Final = "cakegate"
DATABASE_NAME: Final = "cakegate"
#: CloudNativePG names the Secret of an application's user after its Cluster, and has its URL under this key.
CNPG_SUFFIX: Final = "app"
CNPG_KEY: Final = "uri"
_DEFAULT_PORTS: Final = {
    "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379, "http": 80, "https": 443,
    "s3": 443, "gs": 443, "az": 443,
}  # fmt: skip


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A kept Secret with one random password. `url` has a place for it."""

    secret: Object
    username: str
    url: str

    @property
    def name(self) -> str:
        """The Secret's name."""
        name: str = self.secret["metadata"]["name"]
        return name

    @property
    def keys(self) -> tuple[str, ...]:
        """What is read of it: by our processes, and by the server itself."""
        return URL, PASSWORD

    def filled(self, password: str) -> Object:
        """The Secret with a password, which must need no quoting in a URL (as of `secrets.token_urlsafe`)."""
        values = {USERNAME: self.username, PASSWORD: password, URL: self.url.replace("{password}", password)}
        return {**self.secret, "type": "Opaque", "data": encoded(values)}


def wanted(inputs: Inputs) -> list[Credential]:
    """The kept Secrets that a bakery needs: created (POST) where they are absent, and otherwise left alone."""
    spec, found = inputs.bakery.spec, []
    if spec.database.managed:
        address = f"{host(inputs, names.POSTGRES)}:{names.POSTGRES_PORT}"
        found.append(
            Credential(
                # Without an owner whatever the retention: it may change, and the volume that stays needs its password.
                secret=_kept(inputs, names.POSTGRES, owned=False),
                username=DATABASE_USER,
                url=f"postgresql://{DATABASE_USER}:{{password}}@{address}/{DATABASE_NAME}",
            )
        )
    if spec.redis.managed:
        address = f"{host(inputs, names.REDIS)}:{names.REDIS_PORT}"
        found.append(
            Credential(
                # Its volume goes with the bakery: Redis may lose everything.
                secret=_kept(inputs, names.REDIS, owned=True),
                username="default",
                url=f"redis://:{{password}}@{address}",
            )
        )
    return found


def _kept(inputs: Inputs, component: str, *, owned: bool) -> Object:
    return objects.made(inputs, SECRET, component=component, kept=True, owned=owned)


def database(inputs: Inputs) -> bakery.SecretKey:
    """Where the database's URL is."""
    chosen = inputs.bakery.spec.database
    if chosen.url_secret_ref:
        return chosen.url_secret_ref
    name = names.child(inputs.bakery.name, names.POSTGRES)
    if chosen.cloud_native_pg:
        return bakery.SecretKey(name=f"{name}-{CNPG_SUFFIX}", key=CNPG_KEY)
    return bakery.SecretKey(name=name, key=URL)


def redis(inputs: Inputs) -> bakery.SecretKey:
    """Where Redis's URL is."""
    chosen = inputs.bakery.spec.redis.url_secret_ref
    return chosen or bakery.SecretKey(name=names.child(inputs.bakery.name, names.REDIS), key=URL)


def host(inputs: Inputs, component: str) -> str:
    """A Service's name as all namespaces can use it, KEDA's too. The cluster's domain is not ours to know."""
    return f"{names.child(inputs.bakery.name, component)}.{inputs.bakery.namespace}.svc"


def endpoint(url: str) -> Endpoint | None:
    """Host and port in a URL, without what is secret in it; None where it names no host, e.g. `s3://bucket`."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in _DEFAULT_PORTS or parts.scheme in {"s3", "gs", "az"}:
            return None
        return Endpoint(host=parts.hostname, port=parts.port or _DEFAULT_PORTS[parts.scheme])
    except ValueError:
        return None


def is_redis(value: bytes | None) -> bool:
    """Whether a Secret's value is the URL of a Redis, with a host."""
    try:
        url = (value or b"").decode().strip()
    except UnicodeDecodeError:
        return False
    return url.startswith(("redis://", "rediss://")) and endpoint(url) is not None


def encoded(values: dict[str, str]) -> dict[str, str]:
    """`data` of a Secret."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
