"""A build warns of shared libraries that Lambda would not find; the remedies silence it."""

from tests.conftest import Index, Repository
from tests.unit.environment.test_libraries import AARCH64, shared_object

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def test_a_missing_library(dependent: Repository, index: Index) -> None:
    """The warning names library, file and remedies; each remedy ends it, and the bytes stay."""
    tag = "cp313-cp313-manylinux_2_28_x86_64"
    index.add("trees", files={"trees/lib_trees.so": shared_object("libgomp.so.1")}, tag=tag)
    dependent.write({"lambdas/api/requirements.txt": "trees\n", "lambdas.yaml": MANIFEST})
    output = dependent.doit().output
    assert "  libgomp.so.1, which trees/lib_trees.so needs" in output
    assert "docker: {libraries: [...]}" in output
    before = dependent.sha256()
    assert "libgomp" not in dependent.doit().output
    allowed = f"{MANIFEST}    allow_missing_libraries: [libgomp.so.1]\n"
    dependent.write({"lambdas.yaml": allowed})
    assert "libgomp.so.1, which" not in dependent.doit().output
    assert dependent.sha256() == before
    dependent.write({
        "lambdas.yaml": MANIFEST + "    size_limit: 9 MB\n",
        "lambdas/api/lib/libgomp.so.1": b"the library itself",
    })  # fmt: skip
    assert "libgomp.so.1, which" not in dependent.doit().output


def test_own_machine_code(repository: Repository) -> None:
    """A function's own shared object is checked as those of dependencies are, also in an edit."""
    repository.write({"lambdas.yaml": MANIFEST})
    repository.write({"lambdas/api/native.so": shared_object("libc.so.6")})
    assert "libgomp" not in repository.doit().output
    repository.write({"lambdas/api/native.so": shared_object("libgomp.so.1")})
    assert "  libgomp.so.1, which native.so needs" in repository.doit().output
    before = repository.sha256()
    repository.write({"lambdas/api/native.so": shared_object("libc.so.6", machine=AARCH64)})
    for _ in range(2):
        output = repository.doit(code=1).output
        assert "files of its own that cannot run on Python 3.13 on x86_64" in output
        assert "  native.so is machine code for AARCH64, the runtime is x86_64" in output
        assert "name it in 'exclude'" in output
    assert repository.sha256() == before
    repository.write({"lambdas.yaml": f"{MANIFEST}    exclude: [native.so]\n"})
    repository.doit()
