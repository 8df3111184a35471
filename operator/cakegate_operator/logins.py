"""kopf's credentials, from the same place as ours, for no longer than a service account's token is fresh."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import kopf
from kubernetes.aio import client

#: The kubelet renews tokens well before they expire; kopf asks again after this time.
_FRESH: Final = timedelta(minutes=10)
_BEARER: Final = "bearer "


def connection(configuration: client.Configuration) -> kopf.ConnectionInfo:
    """How kopf is to reach the API server, as of now."""
    refresh: Any = configuration.refresh_api_key_hook
    if refresh is not None:
        refresh(configuration)
    token: str = configuration.api_key.get("BearerToken", "")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        # Written with its scheme; kopf adds one.
        token=(token[len(_BEARER) :] if token.lower().startswith(_BEARER) else token) or None,
        expiration=datetime.now(UTC) + _FRESH,
    )
