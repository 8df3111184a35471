import pytest
from bakery_world import World


@pytest.fixture
def world():
    return World()
