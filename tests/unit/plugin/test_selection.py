"""The variants and tasks that a command can need."""

import pytest
from doit.exceptions import InvalidDodoFile

from buildlib.model import Function, Variant
from buildlib.plugin.selection import ON_DEMAND, Request, Selection, select

STEPS = ("venv", "zip", "hash")


def variant(variant_id: str, name: str, *, lock: bool = False) -> Variant:
    function = Function(
        name=name,
        handler="app.handler",
        source=f"lambdas/{name}",
        requires=None,
        lockfile=f"lambdas/{name}/requirements.lock" if lock else None,
        pythons=("3.12", "3.13"),
        architectures=("x86_64",),
        install="wheels",
        include=(),
        exclude=(),
        compression="deflate",
        allow_sdist=(),
    )
    return Variant(variant_id, function, "3.13", "x86_64")


ONE, TWO = "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"
VARIANTS = {
    "api": variant("api", "api", lock=True),
    ONE: variant(ONE, "jobs"),
    TWO: variant(TWO, "jobs"),
}


def chosen(*words: str, runs: bool = True, is_alone: bool = True) -> Selection:
    return select(VARIANTS, STEPS, Request(words, runs=runs, is_alone=is_alone))


@pytest.mark.parametrize(
    ("words", "variants", "on_demand"),
    [
        (["zip:api"], {"api"}, set()),
        (["lock:api", "--upgrade", "hash:api"], {"api"}, set()),
        (["zip:jobs"], {ONE, TWO}, set()),
        ([f"zip:{ONE}"], {ONE, TWO}, set()),  # with the task of both
        (["why:api", "verify:jobs"], {"api", ONE, TWO}, {"why", "verify"}),
        (["why:api"], {"api"}, {"why"}),
        (["invoke:api", "--event", "zip:jobs"], {"api"}, {"invoke"}),  # the option's value
        (["invoke:api", "--event=zip:jobs", "zip:jobs"], {"api", ONE, TWO}, {"invoke"}),
        (["report", "--against", "api"], set(VARIANTS), set()),
        (["report", "--against=zip:api", "why:api"], set(VARIANTS), {"why"}),
        (["size"], set(), {"size"}),
        (["drift"], set(), {"drift"}),
        (["watch", "api", "jobs"], set(), {"watch"}),
        (["index"], set(VARIANTS), set()),
        (["zip"], set(VARIANTS), set()),
        (["zip:*-py3.12-*"], set(VARIANTS), set()),
        (["verify"], set(VARIANTS), {"verify"}),
        (["why:*"], set(VARIANTS), {"why"}),
        (["dist/api.zip"], set(VARIANTS), set(ON_DEMAND)),  # a target may be anyone's
        (["*:api"], set(VARIANTS), set(ON_DEMAND)),
        (["lock:api", "--unknown"], set(VARIANTS), set(ON_DEMAND)),  # doit refuses it
    ],
)
def test_of_a_run(words: list[str], variants: set[str], on_demand: set[str]) -> None:
    """A run needs the variants of named functions only, and the tasks on demand that are named."""
    selection = chosen(*words)
    assert set(selection.variants) == variants
    assert set(selection.on_demand) == on_demand
    assert selection.is_complete == (variants == set(VARIANTS))


def test_everything() -> None:
    """All tasks are made for a command that shows, beside tasks of others, and for the unknown."""
    for selection in (
        chosen("zip:api", runs=False),
        chosen("zip:api", is_alone=False),
        select(VARIANTS, STEPS, Request()),
    ):
        assert selection.variants == VARIANTS
        assert set(selection.on_demand) == set(ON_DEMAND)
        assert selection.is_complete


def test_only_a_run_goes_without_texts() -> None:
    """Tasks may lack texts and `clean` only if they are known to be for a run."""
    assert chosen("zip:api").is_run
    assert chosen("zip:api", is_alone=False).is_run
    assert not chosen("zip:api", runs=False).is_run
    assert not select(VARIANTS, STEPS, Request()).is_run


def test_tasks_of_the_same_name() -> None:
    """A task on demand gives way to one that a dodo.py defines under its name."""
    request = Request(("zip:api",), runs=True, is_alone=False, taken=frozenset({"size", "own"}))
    assert set(select(VARIANTS, STEPS, request).on_demand) == {*ON_DEMAND} - {"size"}


def test_several() -> None:
    """Functions of several variants are listed with all of them, others are not."""
    assert chosen("index").several == {"jobs": [ONE, TWO]}


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zip:apo", "zip:apo: lambdas.yaml declares no 'apo'; did you mean 'zip:api'?"),
        ("why:x", "why:x: lambdas.yaml declares no 'x'; run 'lambdas list' to see the names"),
        ("lock:jobs", "lock:jobs: lambda 'jobs' has no requirements"),
        ("zap:api", "zap:api: no step 'zap'; did you mean 'zip:api'?"),
        ("api", "api: this is a function, not a task; did you mean 'zip:api'?"),
    ],
)
def test_mistyped(name: str, message: str, runs: bool) -> None:
    """A mistyped name is refused with a hint, beside a right one and by any command."""
    with pytest.raises(InvalidDodoFile) as caught:
        chosen("zip:jobs", name, runs=runs)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ("invoke:api", "--event", "zip:apo"),
        ("invoke:api", "--image", "registry.example/python:api"),
        ("watch", "api", "zip:apo"),
        ("size", "index", "report", "record"),
        ("hash:*nothing*",),
    ],
)
def test_not_mistyped(words: tuple[str, ...]) -> None:
    """Values of options, words of `watch`, patterns and our other tasks are no mistyped names."""
    chosen(*words)


@pytest.mark.parametrize("name", ["index", "watch", "size", "lock"])
def test_a_function_with_the_name_of_a_task(name: str) -> None:
    """A function may be called as a task of ours is: the word means the task."""
    select({name: variant(name, name)}, STEPS, Request((name,), runs=True))
