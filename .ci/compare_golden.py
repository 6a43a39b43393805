"""Compare the indexes that several machines made with the golden hashes and with each other.

    python .ci/compare_golden.py [--count N] INDEX...

Each INDEX is a `dist/lambdas.json`. Exit code 1: one of them differs, or there are not N of
them. Each line of the output names the file, the variant, and both hashes.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "tests/golden.json"


def problems(index: Path, golden: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variant of an index whose sha256 is not the golden one."""
    try:
        found = {name: entry["sha256"] for name, entry in json.loads(index.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        yield f"{index}: not an index of ZIPs: {error!r}"
        return
    for name in sorted(found.keys() | golden.keys()):
        here, expected = found.get(name, "absent"), golden.get(name, "absent")
        if here != expected:
            yield f"{index}: {name}: {here}, golden {expected}"


def differing(indexes: Sequence[Path]) -> Iterator[str]:
    """Yield a line for each index whose bytes differ from the first: sizes, runtimes, order."""
    first = indexes[0]
    for other in indexes[1:]:
        if other.read_bytes() != first.read_bytes():
            yield f"{other}: not the same bytes as {first}"


def main(arguments: Sequence[str]) -> int:
    """Compare what the arguments name, and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare indexes with the golden hashes.")
    parser.add_argument("--count", type=int, help="how many indexes there must be")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="default: tests/golden.json")
    parser.add_argument("index", type=Path, nargs="+", help="a dist/lambdas.json")
    options = parser.parse_args(arguments)
    golden = json.loads(options.golden.read_bytes())
    indexes = sorted(options.index)
    found = [line for index in indexes for line in problems(index, golden)]
    if not found:
        found = list(differing(indexes))
    if options.count is not None and len(indexes) != options.count:
        found.append(f"{len(indexes)} indexes, expected {options.count}")
    summary = f"{len(indexes)} indexes with the {len(golden)} golden hashes"
    sys.stdout.write("".join(f"{line}\n" for line in found or [summary]))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
