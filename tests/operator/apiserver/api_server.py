"""A real API server of the tests' own: etcd and kube-apiserver, nothing else. No controller runs, and no pod."""

import contextlib
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import yaml
from kubernetes.aio import client

_TOKEN = "admin-of-the-tests"
_READY_SECONDS = 60


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is, and its administrator's token."""

    url: str
    ca: Path
    folder: Path

    def client(self, token=_TOKEN):
        """A client as its administrator, or as whoever has this token."""
        configuration = client.Configuration(host=self.url)
        configuration.ssl_ca_cert = str(self.ca)
        configuration.api_key["BearerToken"] = f"bearer {token}"
        return client.ApiClient(configuration)

    def kubeconfig(self, token=_TOKEN):
        """A file that says how to reach it."""
        named = {"name": "tests"}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{**named, "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
            "users": [{**named, "user": {"token": token}}],
            "contexts": [{**named, "context": {"cluster": "tests", "user": "tests"}}],
        }
        file = self.folder / "kubeconfig"
        file.write_text(yaml.safe_dump(body))
        return file


@contextlib.contextmanager
def running(assets, folder):
    """etcd and kube-apiserver from the folder `assets`, with all they write in `folder`."""
    etcd, peer, port = free_port(), free_port(), free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            _started(
                folder / "etcd.log",
                [
                    assets / "etcd", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync",
                    f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                    f"--listen-peer-urls=http://127.0.0.1:{peer}",
                ],
            )
        )  # fmt: skip
        key, tokens = folder / "sa.key", folder / "tokens.csv"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens.write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
        stack.enter_context(
            _started(
                folder / "apiserver.log",
                [
                    assets / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}",
                    f"--secure-port={port}", "--bind-address=127.0.0.1", f"--cert-dir={folder}",
                    f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                    "--service-account-issuer=https://kubernetes.default.svc",
                    "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC",
                    f"--token-auth-file={tokens}", "--disable-admission-plugins=ServiceAccount",
                    "--endpoint-reconciler-type=none",
                ],
            )
        )  # fmt: skip
        server = Server(url=f"https://127.0.0.1:{port}", ca=folder / "apiserver.crt", folder=folder)
        _wait(server)
        yield server


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def _started(log, command):
    with log.open("wb") as output:
        process = subprocess.Popen([str(each) for each in command], stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server):
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            trusting = ssl.create_default_context(cafile=server.ca)
            asking = urllib.request.Request(f"{server.url}/readyz", headers={"Authorization": f"Bearer {_TOKEN}"})
            with urllib.request.urlopen(asking, context=trusting, timeout=2):
                return
        if time.monotonic() > deadline:
            raise TimeoutError((server.folder / "apiserver.log").read_text(errors="replace")[-3000:])
        time.sleep(0.1)


def assets():
    """The folder of the programs, or None."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    found = Path(folder) if folder else None
    return found if found and (found / "kube-apiserver").exists() and (found / "etcd").exists() else None
