"""Generated scenes, made once for all tests: whoever writes into one takes a copy."""

import pytest

from pointins_ext.datasets.synthetic.drive_generator import generate_drive
from pointins_ext.datasets.synthetic.room_generator import generate_room
from tests.fixtures.tiny_drives import NUM_DRIVES

NUM_ROOMS = 8


@pytest.fixture(scope="session")
def rooms():
    return [generate_room(seed) for seed in range(NUM_ROOMS)]


@pytest.fixture(scope="session")
def drives():
    return [generate_drive(seed) for seed in range(NUM_DRIVES)]
