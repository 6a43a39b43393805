"""The paths of all files and folders that this package reads and writes."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "lambdas.yaml"
SHARD = "shard.json"
DIST = "dist"


# The folders of the repository that hold no input.
OUTPUTS = frozenset({"build", DIST})


def is_ci(variables: Mapping[str, str]) -> bool:
    """Tell whether this is a job of a CI service, by the variable that all of them set."""
    return variables.get("CI", "").lower() not in {"", "0", "false", "no"}


def find_root(folder: Path) -> Path | None:
    """Return the folder itself, or else the nearest one above it, that has a manifest."""
    return next((one for one in (folder, *folder.parents) if (one / MANIFEST).is_file()), None)


@dataclass(frozen=True)
class Layout:
    """The paths of a repository with a manifest.

    The folder `build` may be deleted, or cached as a whole and restored elsewhere. Paths are made
    once, because a build of many functions asks for them some hundred thousand times.
    """

    root: Path

    @functools.cached_property
    def build(self) -> Path:
        """Environments, staged trees, listings, state and logs."""
        return self.root / "build"

    def bytecode(self, variant_id: str) -> Path:
        """Return the folder of the bytecode of a variant's own files, by its sha256."""
        return self.build / "bytecode" / variant_id

    def pinned(self, sha256: str) -> Path:
        """Return the place of a downloaded file with this sha256."""
        return self.build / "files" / sha256

    @functools.cached_property
    def dist(self) -> Path:
        """The artifacts."""
        return self.root / DIST

    @functools.cached_property
    def index(self) -> Path:
        """The index of the artifacts, which Terraform reads."""
        return self.dist / "lambdas.json"

    @functools.cached_property
    def layers(self) -> Path:
        """The index of the layers, if there are any."""
        return self.dist / "layers.json"

    @functools.cached_property
    def shard(self) -> Path:
        """The keys of the ZIPs of a build of some functions, for `lambdas merge`."""
        return self.dist / SHARD

    @functools.cached_property
    def report(self) -> Path:
        """The page that `doit report` writes."""
        return self.dist / "report.html"

    @functools.cached_property
    def hashes(self) -> Path:
        """The committed file of expected hashes by key, with which a plan needs no build."""
        return self.root / "lambdas.hashes.json"

    @functools.cached_property
    def signed(self) -> Path:
        """The committed file of the ZIPs that AWS Signer made of published ones."""
        return self.root / "lambdas.signed.json"

    @functools.cached_property
    def digests(self) -> Path:
        """The remembered digests of source files."""
        return self.build / "digests.json"

    @functools.cached_property
    def fingerprints(self) -> Path:
        """The fingerprints of finished variants."""
        return self.build / "settled.json"

    def zip(self, variant_id: str) -> Path:
        """Return the artifact of a variant."""
        return self.dist / f"{variant_id}.zip"

    def relative_zip(self, variant_id: str) -> str:
        """Return the path of an artifact below the root as text, which takes no `Path`."""
        return f"{DIST}/{variant_id}.zip"

    def checksum(self, variant_id: str) -> Path:
        """Return the file that `sha256sum -c` reads."""
        return self.dist / f"{variant_id}.zip.sha256"

    def evidence(self, variant_id: str) -> tuple[Path, Path]:
        """Return the bill of materials and the provenance of an artifact."""
        dist = self.dist
        return dist / f"{variant_id}.cdx.json", dist / f"{variant_id}.intoto.json"

    def attestation(self, variant_id: str) -> Path:
        """Return the signed statement of provenance of an artifact."""
        return self.dist / f"{variant_id}.intoto.dsse.json"

    def bundle(self, variant_id: str) -> Path:
        """Return the provenance of an artifact that an identity signed with Sigstore."""
        return self.dist / f"{variant_id}.sigstore.json"

    @functools.cached_property
    def environments(self) -> Path:
        """The folder of all installed environments."""
        return self.build / "env"

    def environment(self, key: str) -> Path:
        """Return the folder of an installed environment: `tree/`, and the records of it."""
        return self.environments / key[:24]

    @functools.cached_property
    def sdist_cache(self) -> Path:
        """The caches of uv for source distributions, one for each set of build tools."""
        return self.build / "sdist-cache"

    def environment_failure(self, key: str) -> Path:
        """Return the note of an installation that failed; the next one removes it."""
        folder = self.environment(key)
        return folder.with_name(f"{folder.name}.failed")

    @functools.cached_property
    def targets(self) -> Path:
        """The folder of the Pythons that describe a target's platform to uv."""
        return self.build / "targets"

    def environment_tree(self, key: str) -> Path:
        """Return the installed files of an environment."""
        return self.environments.joinpath(key[:24], "tree")

    def environment_record(self, key: str) -> Path:
        """Return the record of an environment, which is written once it is complete."""
        return self.environments.joinpath(key[:24], "record.json")

    def environment_stripped(self, key: str) -> Path:
        """Return the record of the symbols that were removed from an environment."""
        return self.environments.joinpath(key[:24], "stripped.json")

    @functools.cached_property
    def cache(self) -> Path:
        """The place of the machine's cache where it is off, and in CI."""
        return self.build / "cache"

    def staged(self, variant_id: str) -> Path:
        """Return the staged tree of a variant."""
        return self.build.joinpath("stage", variant_id)

    def stamp(self, step: str, variant_id: str) -> Path:
        """Return the stamp of a step: the file that it writes when it has finished a variant."""
        return self.build.joinpath(step, f"{variant_id}.json")

    def dependencies(self, step: str, variant_id: str) -> Path:
        """Return the list of the dependencies' files that the step `stage` or `zip` wrote."""
        return self.build.joinpath(step, f"{variant_id}.dependencies.json")

    def new_zip(self, variant_id: str) -> Path:
        """Return the path of the new ZIP until it replaces the artifact."""
        return self.dist / f".{variant_id}.zip.tmp"

    @functools.cached_property
    def times(self) -> Path:
        """The durations of all steps."""
        return self.build / "times.log"

    def starts(self, variant_id: str) -> Path:
        """Return the measured cold starts of a variant."""
        return self.build.joinpath("starts", f"{variant_id}.json")

    @functools.cached_property
    def drift(self) -> Path:
        """The last answers of `lambdas drift`."""
        return self.build / "drift.json"

    @functools.cached_property
    def running(self) -> Path:
        """The folder with a note of each process that works here."""
        return self.build / "running"

    @functools.cached_property
    def downloads(self) -> Path:
        """The folder of ZIPs from the remote cache, until each goes to its place."""
        return self.build / "remote"

    @functools.cached_property
    def disputes(self) -> Path:
        """The folder of ZIPs that differ although their inputs are the same."""
        return self.build / "disputes"

    def rebuilt(self, variant_id: str) -> Path:
        """Return the place of a ZIP that `lambdas rebuild` made and that differs."""
        return self.build / "rebuilt" / f"{variant_id}.zip"

    @functools.cached_property
    def locks(self) -> Path:
        """The folder of the process locks."""
        return self.build / "locks"

    def lock(self, name: str) -> Path:
        """Return the lock that a process holds while it changes files that others share."""
        return self.locks / f"{name}.lock"

    @functools.cached_property
    def defects(self) -> Path:
        """The folder of reports about defects of this package."""
        return self.build / "defects"

    def log(self, step: str, name: str) -> Path:
        """Return the log of an external program."""
        return self.build.joinpath("logs", f"{step}-{name}.log")

    def relative(self, path: Path) -> str:
        """Return `path` as POSIX, relative to the root, for messages and records."""
        return path.relative_to(self.root).as_posix()
