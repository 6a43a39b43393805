"""Build ZIPs of popular packages with the options that make them smaller.

    python benchmarks/smaller.py

prints the table of docs/how-to/smaller.md: the sizes of each ZIP, and of its files unzipped, the
processor time of compression at both levels, and the time to unpack the first and the last ZIP. It
needs the package index.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import deflate

from buildlib import contract
from buildlib.text import megabytes

SETS = (
    *("boto3", "pydantic", "pandas", "numpy scipy", "pyarrow", "pillow", "cryptography"),
    "zstandard",
)
BEST = "compression: best"


def build(root: Path, options: tuple[str, ...]) -> tuple[int, int]:
    """Build the ZIP with options; return its size and that of its files, in bytes."""
    lines = ["version: 1", "lambdas:", "  api:", "    handler: app.handler"]
    lines += ['    exclude: ["tests/", "*.pyi"]', *(f"    {option}" for option in options)]
    (root / "lambdas.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = os.environ | {"LAMBDA_ZIP_CACHE": "off"}
    command = [sys.executable, "-m", "buildlib", "build"]
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    entry = json.loads((root / "dist/lambdas.json").read_text(encoding="utf-8"))["api"]
    return entry["size"], entry["unzipped_size"]


def seconds(path: Path) -> list[float]:
    """Return the processor time to compress the files of a ZIP, at both levels."""
    with zipfile.ZipFile(path) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    found = []
    for level in (contract.DEFLATE_LEVEL, contract.BEST_LEVEL):
        start = time.process_time()
        for content in contents:
            deflate.deflate_compress(content, level)
        found.append(time.process_time() - start)
    return found


def unpacking(path: Path) -> float:
    """Return the least time of three in which a ZIP is unpacked into a new folder."""
    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            start = time.perf_counter()
            archive.extractall(folder)
            found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    """Print a row for each set of packages."""
    for names in SETS:
        option = "aws_services: [s3, dynamodb]" if names == "boto3" else "strip: true"
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "lambdas/api").mkdir(parents=True)
            code = "def handler(event, context):\n    return event\n"
            (root / "lambdas/api/app.py").write_text(code, encoding="utf-8")
            requirements = names.replace(" ", "\n") + "\n"
            (root / "lambdas/api/requirements.txt").write_text(requirements, encoding="utf-8")
            found, unpacked = [], []
            for options in ((), (BEST,), (option,), (option, BEST)):
                found.append(build(root, options))
                unpacked.append(unpacking(root / "dist/api.zip"))
            sizes = [megabytes(size) for size, _ in found]
            unzipped = " -> ".join(megabytes(found[at][1]) for at in (0, -1))
            times = ", ".join(f"{one:.1f} s" for one in seconds(root / "dist/api.zip"))
            start = f"{unpacked[0]:.2f} s -> {unpacked[-1]:.2f} s"
        sys.stdout.write(f"| {' | '.join([names, *sizes, unzipped, times, start])} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
