"""The files one session has open: how they come in, and the model's turn on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import streamlit as st

from core.errors import FileTooLarge, ScanError
from core.model import BatchRead
from core.scan import Scan, is_archive, open_archive, read_scan
from core.settings import Settings
from core.text import _
from core.ui.open_scan import Entry, OpenScan, file_key

_KEY = "reading-list"


@dataclass(slots=True)
class ReadingList:
    """The files a session has open, in the order they came.

    Attributes
    ----------
    entries
        By their :attr:`Entry.key`.
    current
        Key of the entry on screen.
    refused
        What could not be opened: the name as the person sees it, and the one line why.
    again
        How many uploads were on the list already.
    upload_round
        Counts the uploads, so that each starts with an empty uploader and the bytes can go.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    current: str | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)
    again: int = 0
    upload_round: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def entry(self) -> Entry | None:
        """The file on screen, or none."""
        return self.entries.get(self.current) if self.current else None

    @property
    def shown(self) -> OpenScan | None:
        """The image on screen, or none."""
        return None if self.entry is None else self.entry.shown

    @property
    def items(self) -> Iterator[OpenScan]:
        """Every image of every file that was looked at."""
        return (item for entry in self.entries.values() for item in entry.items.values())

    def add(self, scan: Scan) -> Entry:
        """Put a file on the list; one that is there already is not added again."""
        known = self.entries.get(file_key(scan, several=scan.loop is not None))
        if known is not None:
            self.again += 1
            return known
        entry = Entry.of(scan)
        self.entries[entry.key] = entry
        if self.current is None:
            self.current = entry.key
        return entry

    def show(self, key: str) -> None:
        """Bring another file on screen."""
        if key not in self.entries or key == self.current:
            return
        if self.shown is not None:
            self.shown.release()
        self.current = key

    def step(self, by: int) -> None:
        """Go ``by`` files forward (negative: back), stopping at the ends."""
        order = list(self.entries)
        if self.current in order:
            at = order.index(self.current) + by
            self.show(order[min(max(at, 0), len(order) - 1)])

    def remove(self, key: str) -> None:
        """Take a file off the list; the next one comes on screen, or the one before the last."""
        order = list(self.entries)
        at = order.index(key)
        del self.entries[key]
        if self.current == key:
            rest = order[at + 1 :] or order[:at][::-1]
            self.current = rest[0] if rest else None

    def forget_refusals(self) -> None:
        """Stop saying what could not be opened, once the person has seen it."""
        self.refused.clear()
        self.again = 0

    @property
    def unread(self) -> list[OpenScan]:
        """Images on the list that the model may read and has not answered yet."""
        return [entry.shown for entry in self.entries.values() if entry.shown.is_unread]

    def ask_again(self) -> None:
        """Let every image that got no answer wait for the model once more."""
        for entry in self.entries.values():
            entry.shown.problem = None

    @property
    def held_bytes(self) -> int:
        """Memory that all files take in this session."""
        return sum(entry.held_bytes for entry in self.entries.values())


class UploadedBytes(Protocol):
    """What Streamlit's uploader hands over."""

    name: str
    file_id: str

    def getvalue(self) -> bytes:
        """Return the whole file."""
        ...


class BatchReader(Protocol):
    """What reads many scans: a :class:`core.model.Predictor`, or what a test puts in its place."""

    def read_many(self, scans: Iterable[Scan]) -> Iterator[BatchRead]:
        """Read scans in batches; one answer or error for each, in their order."""
        ...


def reading_list() -> ReadingList:
    """Return the session's reading list."""
    found = st.session_state.get(_KEY)
    if not isinstance(found, ReadingList):
        found = st.session_state[_KEY] = ReadingList()
    return found


def take_in(
    files: Iterable[UploadedBytes],
    into: ReadingList,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    """Decode uploads one after the other; what cannot be read is noted and the rest goes on.

    Archives are opened and their members taken in one by one.

    Parameters
    ----------
    progress
        Called after each image with how many images and how many uploads are done.
    """
    images = 0
    for done, file in enumerate(files):
        # A rerun can cut this loop off anywhere; the next one goes on where it stopped.
        if file.file_id in into.seen:
            continue
        for name, data, identity in _members(file, settings):
            if identity not in into.seen:
                try:
                    if isinstance(data, ScanError):
                        raise data
                    _check_room(into, settings)
                    into.add(read_scan(data, settings=settings))
                except ScanError as error:
                    into.refused.append((name, str(error)))
                into.seen.add(identity)
            images += 1
            progress(images, done)
        into.seen.add(file.file_id)
        progress(images, done + 1)


def _members(
    file: UploadedBytes, settings: Settings
) -> Iterator[tuple[str, bytes | ScanError, str]]:
    """Yield the name, the bytes and an identity of every image in an upload."""
    data = file.getvalue()
    if not is_archive(data):
        yield file.name, data, f"{file.file_id}:"
        return
    try:
        for at, member in enumerate(open_archive(data, settings)):
            # Without a name it is about the archive itself.
            name = f"{file.name} › {member.name}" if member.name else file.name
            yield name, member.error or member.data, f"{file.file_id}:{at}"
    except ScanError as error:
        yield file.name, error, f"{file.file_id}:archive"


def _check_room(reading: ReadingList, settings: Settings) -> None:
    if reading.held_bytes > settings.session_bytes:
        raise FileTooLarge(
            _(
                "The list is full: its scans take over {limit} MB. Close some and add this one "
                "again, or score many files from the command line."
            ).format(limit=settings.session_bytes // 2**20)
        )


def read_all(items: Sequence[OpenScan], predictor: BatchReader) -> Iterator[OpenScan]:
    """Let the model read images and give each once it has its answer, or its problem.

    A failure is noted with its image and the rest goes on.
    """
    found = predictor.read_many(item.scan for item in items)
    for item, read in zip(items, found, strict=True):
        answer = read.prediction
        if answer is None:
            item.problem = str(read.error)
        elif answer.image_digest != item.digest:
            item.problem = _("The answer was for another scan and was discarded. Read again.")
        else:
            item.take(answer)
        yield item
