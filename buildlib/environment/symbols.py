"""Remove the symbol table and the debug sections of a shared object, and nothing that is loaded.

`strip` and `llvm-strip` give a file a new layout. Both break libraries that patchelf, and so
auditwheel, has changed: https://github.com/pypa/auditwheel/issues/716 for GNU strip, and
https://github.com/llvm/llvm-project/issues/119956 for LLVM's. This module cuts sections out of the
file instead. A segment keeps its bytes and its address, and moves in the file only by a multiple of
its alignment. So the result depends on no tool of the host.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from buildlib.environment import objects
from buildlib.environment.objects import Content, MalformedError, Section, Segment, SharedObject

_DEBUG = (b".debug", b".zdebug", b".gdb_index", b".stab")
_NAMES = b".shstrtab"

# Bytes that are compared at once: a file can have hundreds of MB.
_PIECE = 1 << 20


class Cut(NamedTuple):
    """A file without symbols; `why` says why a file that has some keeps them, and is else empty."""

    content: bytes
    why: str = ""


class _Block(NamedTuple):
    """Bytes that stay next to each other, and the alignment of their place in the file."""

    start: int
    end: int
    align: int = 1


def cut(content: bytes) -> Cut:
    """Return a file without symbols, if it is a shared object for Lambda's processors.

    Any other file is returned as it is.
    """
    try:
        one = objects.read(content)
        removed = _removed(one) if one else set()
        if one is None or not removed - {one.header.names}:
            return Cut(content)
        result = _without(one, removed)
        _check(one, result, removed)
    except MalformedError as error:
        return Cut(content, str(error))
    return Cut(bytes(result) if len(result) < len(content) else content)


def _removed(one: SharedObject) -> set[int]:
    """Return the numbers of the sections without which the loaded file is the same.

    Raises:
        MalformedError: another section needs one of them.

    """
    rows = dict(enumerate(one.sections))
    loose = {at for at, row in rows.items() if row.kind and not row.flags & objects.ALLOC}
    removed = {
        at
        for at in loose
        if rows[at].kind in {objects.SYMTAB, objects.SHNDX} or one.names[at].startswith(_DEBUG)
    }
    relocations = {objects.RELA, objects.REL}
    removed |= {at for at in loose if rows[at].kind in relocations and rows[at].info in removed}
    texts = {rows[at].link for at in removed} | {one.header.names}
    linked = {row.link for at, row in rows.items() if at not in removed}
    removed |= {at for at in texts & loose if rows[at].kind == objects.STRTAB and at not in linked}
    for at, row in rows.items():
        if at not in removed and row.kind and row.link in removed:
            name = one.names[at].decode("ascii", "replace")
            msg = f"has a section '{name}' that needs the symbols"
            raise MalformedError(msg)
    return removed


def _blocks(one: SharedObject, removed: Collection[int]) -> list[_Block]:
    """Return the blocks of bytes to keep, in their order.

    Raises:
        MalformedError: the file has data after its last part, which code may look for there.

    """
    kept = [_Block(0, objects.FIRST), _Block(one.table.start, one.table.stop, 8)]
    kept += (
        _Block(row.offset, row.offset + row.size, row.step) for row in one.segments if row.size
    )
    kept += (
        _Block(row.offset, row.end, max(row.align, 1))
        for at, row in enumerate(one.sections)
        if at not in removed and row.kind and row.end > row.offset
    )
    start = one.header.sections
    known = [_Block(start, start + len(one.sections) * objects.SECTION.size), *kept]
    known += (_Block(one.sections[at].offset, one.sections[at].end) for at in removed)
    end = 0
    for block in sorted(known):  # bytes between the parts that are no padding stay
        if one.content[end : block.start].strip(b"\0"):
            kept.append(_Block(end, block.start))
        end = max(end, block.end)
    if one.content[end:].strip(b"\0"):
        msg = "has data after its last section"
        raise MalformedError(msg)
    return _merged(sorted(kept))


def _merged(blocks: Sequence[_Block]) -> list[_Block]:
    """Join blocks that overlap or touch each other."""
    found = [blocks[0]]
    for block in blocks[1:]:
        last = found[-1]
        if block.start > last.end:
            found.append(block)
        else:
            ends = max(last.end, block.end), max(last.align, block.align)
            found[-1] = _Block(last.start, *ends)
    return found


class _Places:
    """The new places of blocks, each the first one that keeps the alignment."""

    def __init__(self, blocks: Sequence[_Block]) -> None:
        self.blocks = list(self._placed(blocks))

    @staticmethod
    def _placed(blocks: Sequence[_Block]) -> Iterator[tuple[_Block, int]]:
        end = 0
        for block in blocks:
            place = end + (block.start - end) % block.align
            yield block, place
            end = place + block.end - block.start

    def of(self, offset: int, *, inside: bool = False) -> int:
        """Return the new place of an offset, which must be `inside` a block, if so.

        Raises:
            MalformedError: it is not.

        """
        for block, place in reversed(self.blocks):
            if block.start <= offset and (offset <= block.end or not inside):
                return place + offset - block.start
        msg = "has an empty segment outside of its data"
        raise MalformedError(msg)


def _without(one: SharedObject, removed: Collection[int]) -> bytearray:
    """Return a file without some sections.

    The others keep their numbers, by which dynamic symbols name them.

    Raises:
        MalformedError: the file has a segment that cannot be moved.

    """
    places = _Places(_blocks(one, removed))
    output = bytearray()
    for block, place in places.blocks:
        output += bytes(place - len(output)) + one.content[block.start : block.end]
    rows, texts = _sections(one, removed, places, len(output))
    output += texts
    output += bytes(-len(output) % 8)
    header = one.header._replace(
        segments=places.of(one.header.segments),
        sections=len(output),
        section_count=len(rows),
        names=len(rows) - 1,
    )
    for row in rows:
        output += objects.SECTION.pack(*row)
    objects.HEADER.pack_into(output, objects.IDENT.size, *header)
    for at, segment in enumerate(one.segments):
        if segment.memory:  # others, such as that of the stack, are no place in the file
            is_loaded = segment.kind == objects.LOAD
            moved = segment._replace(offset=places.of(segment.offset, inside=is_loaded))
            start = header.segments + at * objects.SEGMENT.size
            objects.SEGMENT.pack_into(output, start, *moved)
    return output


def _sections(
    one: SharedObject, removed: Collection[int], places: _Places, end: int
) -> tuple[list[Section], bytes]:
    """Return the new table of sections, and their names, which stand at the offset `end`."""
    rows: list[Section] = []
    texts = bytearray(1)
    last = max((at for at in range(len(one.sections)) if at not in removed), default=0)
    for at, row in enumerate(one.sections[: last + 1]):
        if at in removed or not row.kind:
            rows.append(Section(*[0] * len(Section._fields)))
            continue
        rows.append(row._replace(name=len(texts), offset=places.of(row.offset)))
        texts += one.names[at] + b"\0"
    name = len(texts)
    texts += _NAMES + b"\0"
    rows.append(Section(name, objects.STRTAB, 0, 0, end, len(texts), 0, 0, 1, 0))
    return rows, bytes(texts)


def _check(before: SharedObject, content: Content, removed: Collection[int]) -> None:
    """Compare all that a loader reads, and all sections that stay, with the file as it was.

    Raises:
        MalformedError: it differs.

    """
    after = objects.read(content)
    if after is None or _loaded(after) != _loaded(before):
        msg = "would be another file for the loader"
        raise MalformedError(msg)
    segments = list(zip(before.segments, after.segments, strict=True))
    if any((one.offset - other.offset) % one.step for one, other in segments):
        msg = "would have a segment out of alignment"
        raise MalformedError(msg)
    # The header and the table of segments name places in the file, so they do differ.
    again = bytearray(content)
    again[: objects.FIRST] = before.content[: objects.FIRST]
    table = before.content[before.table.start : before.table.stop]
    again[after.table.start : after.table.stop] = table
    parts: list[tuple[Segment | Section, Segment | Section]] = [*segments]
    parts += (
        (one, after.sections[at])
        for at, one in enumerate(before.sections)
        if at not in removed and one.kind and one.end > one.offset
    )
    for one, other in parts:
        for start in range(0, one.size, _PIECE):
            size = min(_PIECE, one.size - start)
            old, new = one.offset + start, other.offset + start
            if before.content[old : old + size] != again[new : new + size]:
                msg = "would load other bytes"
                raise MalformedError(msg)


def _loaded(one: SharedObject) -> object:
    """Return all that a file says about its parts in memory, without their places in the file."""
    header = one.header._replace(segments=0, sections=0, section_count=0, names=0)
    sections = [
        (at, name, row._replace(name=0, offset=0))
        for at, (name, row) in enumerate(zip(one.names, one.sections, strict=True))
        if row.flags & objects.ALLOC
    ]
    return header, [row._replace(offset=0) for row in one.segments], sections
