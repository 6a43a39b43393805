"""The values that steps pass to each other: no I/O, no behaviour beyond their own fields."""

from typing import Any, NamedTuple


class Docker(NamedTuple):
    """The mapping `docker:` of a function: how a container installs its dependencies.

    `image` is None for AWS's image of the runtime; `secrets` are (name, file of the host) and
    `engine` (architecture, address).
    """

    image: str | None = None
    setup: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    engine: tuple[tuple[str, str], ...] = ()


# "Packaging your layer content" in the AWS Lambda developer guide: a layer is unpacked to /opt, and
# /opt/python is on Python's path.
LAYER_PREFIX = "python/"


class Include(NamedTuple):
    """A file or folder of the repository that goes into a ZIP.

    `to` is its path in the ZIP, empty for the ZIP's top. `only` are gitignore patterns, relative to
    `path`, of the files to take; empty for all.
    """

    path: str
    to: str
    only: tuple[str, ...] = ()


class Pinned(NamedTuple):
    """A file of an address that goes into a ZIP at the path `to`; `sha256` is hex.

    It is for the architecture that is named; for all if that is empty.
    """

    url: str
    sha256: str
    to: str
    architecture: str = ""


class Requires(NamedTuple):
    """The files with the dependencies of a function, and the part of them that it needs.

    `package` is a member of a workspace (PEP 503); `groups` (PEP 735) and `extras` are names.
    """

    paths: tuple[str, ...]
    package: str = ""
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


class Function(NamedTuple):
    """One entry of `lambdas:` in the manifest, with the defaults filled in.

    Paths are POSIX and relative to the repository's root; `exclude` is as written. `source` is a
    folder, and `module` the only file of it that is the function's own; empty for all files.

    A layer is a function without a handler, whose dependencies are below `prefix` in the ZIP; it
    may have no source of its own.
    """

    name: str
    handler: str
    source: str
    requires: Requires | None
    pythons: tuple[str, ...]
    architectures: tuple[str, ...]
    install: str
    include: tuple[Include, ...]
    exclude: tuple[str, ...]
    compression: str
    allow_sdist: tuple[str, ...]
    docker: Docker | None = None  # if and only if `install` is docker
    size_limit: int | None = None  # bytes unzipped; None: the limit of Lambda
    start_limit: str | None = None  # such as `800 ms`, of a cold start
    size_growth: str | None = None  # such as `5 %`, over the sizes in lambdas.hashes.json
    evidence: bool = False
    allow_secrets: tuple[str, ...] = ()
    # The committed lockfile that is made from `requires`, and that all functions with equal ones
    # share; None without them, or if they are a lock themselves.
    lockfile: str | None = None
    module: str = ""
    gitignore: bool = False
    layers: tuple[str, ...] = ()
    arns: tuple[str, ...] = ()  # of layers that are not built here
    files: tuple[Pinned, ...] = ()
    bytecode: bool = False
    sources: bool = True  # False: bytecode replaces its source
    compilers: tuple[str, ...] = ()  # full versions, instead of those that the lockfile pins
    strip: bool = False
    is_layer: bool = False
    has_source: bool = True
    deployed_as: str = ""  # the name in Lambda, with placeholders
    # The keys without a field here whose values differ from the default.
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def requirements(self) -> str | None:
        """The first file of `requires`, for messages."""
        return self.requires.paths[0] if self.requires else None

    @property
    def kind(self) -> str:
        """The word for it in messages."""
        return "layer" if self.is_layer else "lambda"

    @property
    def title(self) -> str:
        """The word and the name, at the beginning of messages: `lambda 'api'`."""
        return f"{self.kind} '{self.name}'"

    @property
    def prefix(self) -> str:
        """The folder of dependencies in the ZIP, which Lambda has on Python's path."""
        return LAYER_PREFIX if self.is_layer else ""

    def within(self, name: str) -> str:
        """Return the path of a file in the source folder, relative to the repository's root."""
        return name if self.source == "." else f"{self.source}/{name}"


class Cache(NamedTuple):
    """The remote cache that a manifest declares.

    `remote` is its address, or empty. `trust` is "bucket" or "signed"; `keys` are public keys by
    name, as base64 of their DER, and `signatures` is how many of them must have signed an entry.
    """

    remote: str = ""
    trust: str = "bucket"
    keys: tuple[tuple[str, str], ...] = ()
    signatures: int = 1


class Manifest(NamedTuple):
    """A valid `lambdas.yaml`, with the other manifests that it names; `files` are all of them."""

    functions: tuple[Function, ...]
    frozen: bool
    files: tuple[str, ...] = ()
    cache: Cache | None = None


class Variant(NamedTuple):
    """One ZIP to build: a function for one Python and one architecture."""

    id: str
    function: Function
    python: str
    architecture: str


class LockTarget(NamedTuple):
    """One Python and architecture for which a lockfile has pins.

    `builds` tells whether a container may build distributions from source, and `allow_sdist` names
    those that this machine may build.
    """

    python: str
    architecture: str
    builds: bool = False
    allow_sdist: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name in the header of a lockfile, such as `3.13-arm64`."""
        return f"{self.python}-{self.architecture}"


class Upgrade(NamedTuple):
    """The pins of a lockfile to renew: `everything`, or those of some packages (PEP 503 names).

    `pins` are the versions, as `name==version`, that some of these packages must get.
    """

    everything: bool = False
    packages: frozenset[str] = frozenset()
    pins: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether any pin is to be renewed."""
        return self.everything or bool(self.packages)

    def kept(self, pins: list[str]) -> list[str]:
        """Return the pins to keep, of pins as `name==version`."""
        if self.everything:
            return []
        return [pin for pin in pins if pin.partition("==")[0] not in self.packages]


class Image(NamedTuple):
    """An image that a lockfile pins for one runtime.

    `name` is as in the manifest. The engine runs `reference`: `<repository>@sha256:<hex>`, or the
    bare id `sha256:<hex>` of an image that no registry has.
    """

    python: str
    architecture: str
    name: str
    reference: str


class Pin(NamedTuple):
    """A locked distribution: `hashes` are sorted, each as `sha256:<hex>`."""

    name: str
    version: str
    hashes: tuple[str, ...]


class File(NamedTuple):
    """A regular file of a tree: POSIX path relative to the tree, hex sha256, size in bytes."""

    path: str
    sha256: str
    size: int


class Origin(NamedTuple):
    """The source of a staged file.

    `path` is relative to the repository's root for the function's own files, and to the
    environment's tree for the files of dependencies.
    """

    file: File
    path: str
    dependency: bool


class CompressedMember(NamedTuple):
    """The data of a ZIP member: raw deflate, or the content itself if stored.

    The file `pack` holds it in `compressed_size` bytes from `offset` on; without a `pack`, a stream
    does. `method` is the compression method of APPNOTE 4.4.5, 0 or 8, and `crc` the CRC-32 of the
    content.
    """

    pack: str
    offset: int
    compressed_size: int
    size: int
    crc: int
    method: int


class Written(NamedTuple):
    """A finished ZIP: its hex sha256, its size and the size of its contents in bytes."""

    sha256: str
    size: int
    unzipped_size: int
