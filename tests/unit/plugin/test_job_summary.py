"""The summary of a job, as GitHub would show it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from buildlib.artifacts.earlier import Base, Earlier
from buildlib.model import Written
from buildlib.plugin import job_summary
from buildlib.plugin.result import Result
from buildlib.steps.summary import BUILT, DESCRIBED, FAILED, LEFT_OUT, STORED, Outcome

A, B = "a" * 64, "b" * 64
HOSTILE = "a|b</pre></code><img src=x>`![x](y)\n\n# *t* _u_ ~~v~~ \\| https://x.example\x1b[2J"


def entry(sha256: str = A, size: int = 1000, unzipped: int = 4000) -> dict[str, Any]:
    return {"sha256": sha256, "size": size, "unzipped_size": unzipped}


def outcome(name: str, done: str = BUILT, why: str = "") -> Outcome:
    written = None if done in {FAILED, LEFT_OUT} else Written(A, 1000, 4000)
    return Outcome(name, done, why, written, None, 0.1)


def result(
    outcomes: Sequence[Outcome] = (),
    unchanged: Sequence[str] = (),
    errors: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> Result:
    return Result(0, outcomes, unchanged, errors or {}, warnings, 1.25)


def page(text: str) -> str:
    """Return the HTML of a summary, by a parser of CommonMark with GitHub's tables."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def cells(text: str) -> list[list[str]]:
    """Return the text of each cell of the table, by rows, without its head."""
    body = page(text).split("<tbody>")[1].split("</tbody>")[0]
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)]
        for row in body.split("</tr>")[:-1]
    ]


RUN = result(
    [
        outcome("api", BUILT, "app.py changed"),
        outcome("bad", FAILED, "at stage"),
        outcome("box", LEFT_OUT),
        outcome("back", STORED, "requests 2.31.0 -> 2.32.0"),
        outcome("told", DESCRIBED),
    ],
    ["team_keys"],
    {"bad": "no\nreally", "box": "no engine"},
    ["warning: look (api)"],
)
ENTRIES = {
    **{name: entry() for name in ("api", "back", "told", "team_keys")},
    "bad": {"status": "missing"},
    "box": entry() | {"stale": True},
}


def test_every_outcome() -> None:
    """Each variant has a row, problems first; a stale ZIP has no size; the last one has sums."""
    text = job_summary.render(RUN, ENTRIES, None)
    assert text.startswith("### Lambda ZIPs: 1 built, 1 from the cache, 2 unchanged, 1 failed, ")
    assert cells(text) == [
        ["bad", "failed: at stage", "", ""],
        ["box", "not built", "", ""],
        ["api", "built: app.py changed", "1000 B", "3.9 kB"],
        ["back", "from the cache: requests 2.31.0 -&gt; 2.32.0", "1000 B", "3.9 kB"],
        ["team_keys", "unchanged", "1000 B", "3.9 kB"],
        ["told", "unchanged", "1000 B", "3.9 kB"],
        ["Total", "", "3.9 kB", "15.6 kB"],
    ]
    shown = page(text)
    assert "<pre>no\nreally</pre>" in shown
    assert "<pre>no engine</pre>" in shown
    assert "<pre>look (api)\n</pre>" in shown
    assert "Change" not in text


def test_against_an_index() -> None:
    """With sizes in the base, each row has its change, and those that changed come first."""
    zips = {
        "api": Earlier(B, 900, 1),
        "told": Earlier(B, 1000, 1),
        "back": Earlier(A, 1000, 1),
        "gone": Earlier(A, 100, 1),
        "bad": Earlier(A, 5000, 1),
    }
    rows = cells(job_summary.render(RUN, ENTRIES, Base("base.json", zips)))
    assert [(row[0], row[1].partition(":")[0], row[4]) for row in rows] == [
        ("bad", "failed", ""),
        ("box", "not built", ""),
        ("api", "built", "changed, +100 B"),
        ("gone", "removed", ""),
        ("team_keys", "unchanged", "new"),
        ("told", "unchanged", "changed, same size"),
        ("back", "from the cache", "same"),
        # The failed one counts on neither side.
        ("Total", "", "+1000 B"),
    ]


def test_against_a_record() -> None:
    """Without sizes in the base, hashes decide, and there is no change of a size."""
    zips = {"api": Earlier(B), "back": Earlier(A)}
    rows = cells(job_summary.render(RUN, ENTRIES, Base("lambdas.hashes.json", zips)))
    changes = {row[0]: row[4] for row in rows}
    assert changes["api"] == "changed"
    assert changes["back"] == "same"
    assert changes["Total"] == ""


def test_a_message_is_shown_once() -> None:
    """Variants that share a message are named together."""
    failed = [outcome(f"v{n}", FAILED, "at venv") for n in range(14)]
    text = job_summary.render(result(failed, errors={one.id: "no" for one in failed}), {}, None)
    assert text.count("<pre>no</pre>") == 1
    assert "<code>v5</code> and 4 more" in text


def test_nothing_of_ours() -> None:
    """A run without variants, such as that of a task of the user, adds nothing."""
    assert not job_summary.render(result(warnings=["warning: x"]), ENTRIES, None)


def test_hostile_text() -> None:
    """Text of others is shown as it is: it makes no element, no row and no cell."""
    run = result([outcome("bad", FAILED, HOSTILE)], [HOSTILE], {"bad": HOSTILE}, [HOSTILE])
    text = job_summary.render(run, {}, Base(HOSTILE, {}))
    assert "\x1b" not in text
    assert [len(row) for row in cells(text)] == [5, 5, 5]
    found = set(re.findall(r"<(\w+)", page(text)))
    assert found <= {
        *("h3", "h4", "p", "code", "pre", "strong"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert "https://" not in text.split("#### Errors", maxsplit=1)[0]


def test_many() -> None:
    """Of a thousand variants, the changed ones are listed, and the rest is counted."""
    names = [f"f{n:04}" for n in range(1000)]
    run = result([outcome(name) for name in names[:60]], names[60:])
    text = job_summary.render(run, dict.fromkeys(names, entry()), None)
    rows = cells(text)
    assert [row[0] for row in rows] == [*names[:60], "Total"]
    assert rows[-1][2:] == ["976.6 kB", "3.8 MB"]
    assert "Not in the table: 940 unchanged." in text
    base = Base("base.json", {name: Earlier(B) for name in names[500:]})
    rows = cells(job_summary.render(result((), names), dict.fromkeys(names[500:], entry()), base))
    assert [row[0] for row in rows] == [*names[500:], "Total"]
    few = result([outcome("f0000")], names[1:])
    assert len(cells(job_summary.render(few, {}, None))) == 51


def test_the_limit() -> None:
    """However long the texts are, the file of a step stays below 1 MiB, and the rest is counted."""
    names = [f"{'f' * 120}{n:04}" for n in range(3000)]
    errors = {name: f"{name} {'<é' * 10_000}" for name in names}
    run = result(
        [outcome(name, FAILED, "|" * 10_000) for name in names], (), errors, ["w" * 9999] * 999
    )
    for room in (1 << 20, 100_000, 5000, 4096, 300, -1):
        text = job_summary.render(run, {}, Base("base.json", {}), room=room)
        assert len(text.encode()) <= max(room, 0)
    text = job_summary.render(run, {}, None)
    assert re.search(r"Not in the table: \d+ failed\.", text)
    assert len(re.findall(r"^\d+ more in the log\.$", text, re.MULTILINE)) == 2
    page(text)


def test_the_file_of_a_step(tmp_path: Path) -> None:
    """Each run of a step adds to the file, until it is full."""
    path = tmp_path / "summary"
    run = result([outcome("api")])
    for _ in range(2):
        job_summary.append(path, run, {}, None)
    assert path.read_text().count("### Lambda ZIPs: 1 built") == 2
    path.write_bytes(b"x" * (1 << 20))
    job_summary.append(path, run, {}, None)
    assert path.stat().st_size == 1 << 20


@pytest.mark.parametrize("text", ["a-b, c.d", "1 built"])
def test_plain_text_stays_readable(text: str) -> None:
    """Text without a meaning in Markdown is not escaped."""
    assert job_summary.escape(text) == text
