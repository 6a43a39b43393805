"""A few trials of each scene of `python -m tests.torture`, the same ones each time."""

import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.torture import world as worlds
from tests.torture.__main__ import attempt
from tests.torture.scenes import SCENES
from tests.torture.world import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="strace and /proc are Linux's"),
]

# The trials of each scene; others than these take a second each.
TRIALS = {"edits": 2, "races": 3}
OTHERS = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a world of which everything is built."""
    return worlds.make(tmp_path_factory.mktemp("world") / "base")


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_wrong_ships_and_everything_heals(world: World, scene: str, tmp_path: Path) -> None:
    """Under each fault, exit code 0 means right bytes, and the next run heals the damage."""
    assert shutil.which("strace"), "install strace"
    trials, count = list(SCENES[scene](world)), TRIALS.get(scene, OTHERS)
    for number, trial in enumerate(random.Random(1).sample(trials, count)):  # noqa: S311
        violation = attempt(trial, world, tmp_path / str(number))
        assert not violation, f"{scene} --only '{trial.name}': {violation}"
