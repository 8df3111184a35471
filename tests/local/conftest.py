"""Folders for whole stacks."""

import os

import pytest


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory):
    """Makes a folder that Postgres's user can reach too, by a name.

    As root it would else keep its data below /var/tmp, where nothing cleans up after a test: pytest's own folders are
    closed to other users, up to the one that all its runs share.
    """

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o055 != 0o055:
                parent.chmod(0o755)
            if parent.name.startswith("pytest-of-"):
                break
        return folder

    return make
