"""Run trials: `python -m tests.torture [SCENE ...] [--trials N] [--seed S] [--only TEXT]`."""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.torture import world as worlds
from tests.torture.scenes import SCENES, Trial


def attempt(trial: Trial, base: worlds.World, folder: Path) -> str:
    """Do a trial in a copy of the world; return the violation, or nothing."""
    copy = base.copy(folder)
    try:
        trial.run(copy)
    except AssertionError as error:
        return str(error) or traceback.format_exc()
    except Exception:  # noqa: BLE001 - a trial that fails is a violation, too
        return traceback.format_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def main() -> int:
    """Run the trials, show the progress and the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("scenes", nargs="*", choices=[[], *SCENES], default=list(SCENES))
    parser.add_argument("--trials", type=int, help="trials of each scene; all by default")
    parser.add_argument("--seed", type=int, default=1, help="which trials are chosen")
    parser.add_argument("--jobs", type=int, default=2, help="trials at the same time")
    parser.add_argument("--only", default="", help="trials whose name has this text")
    options = parser.parse_args()
    found = 0
    with tempfile.TemporaryDirectory(prefix="torture-") as top:
        base = worlds.make(Path(top, "base"))
        for scene in options.scenes:
            trials = [t for t in SCENES[scene](base) if options.only in t.name]
            random.Random(options.seed).shuffle(trials)  # noqa: S311 - the same ones each time
            chosen = trials[: options.trials]
            began, bad = time.monotonic(), 0
            with ThreadPoolExecutor(options.jobs) as pool:
                tasks = {
                    pool.submit(attempt, trial, base, Path(top, f"{scene}-{number}")): trial
                    for number, trial in enumerate(chosen)
                }
                for number, task in enumerate(as_completed(tasks), 1):
                    if violation := task.result():
                        bad += 1
                        sys.stdout.write(f"\n{scene}: {tasks[task].name}\n{violation}\n\n")
                    sys.stderr.write(f"\r{scene}: {number} of {len(chosen)}, {bad} violations ")
            seconds = time.monotonic() - began
            found += bad
            sys.stderr.write("\n")
            sys.stdout.write(
                f"{scene}: {len(chosen)} of {len(trials)} trials, {bad} violations, "
                f"{seconds:.0f} s\n"
            )
            sys.stdout.flush()
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
