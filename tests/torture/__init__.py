"""Faults, damage and attacks: whatever happens, the ZIPs are right, or the run says that it failed.

`python -m tests.torture` runs all trials of all scenes, for hours; `python -m tests.torture disk
--trials 50 --seed 7` runs some. `tests/test_torture.py` runs a few of each scene in every CI run.

A scene yields trials. A trial does its damage in a world of its own, a copy of a built repository
with its caches, and then the rules hold:

- a run that ends with exit code 0 has built what a build from nothing builds elsewhere;
- a run that ends with another one says why, without a traceback, and leaves `dist/` consistent;
- once the damage is over, the next run succeeds with the right bytes, and is followed by an idle
  one.
"""
