"""Standard streams that never stop a command: closed, full, without a reader, or without Unicode."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TextIO, cast

STANDARD: Final = 2
"""The highest descriptor of a standard stream."""


class Output(Protocol):
    """Standard output as a command leaves it."""

    @property
    def failure(self) -> OSError | None:
        """The reason why text was lost; None if all was written, or if the reader closed its end."""


class SafeStream(io.TextIOBase):
    """A text stream whose failures do not reach the writer: from the first one on, text is dropped.

    Files that a command is asked for must not depend on whether its table can be shown.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self._stopped: OSError | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in typeshed
        """Encoding of the stream behind."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """How characters are written that the encoding lacks."""
        return "replace"

    @property
    def failure(self) -> OSError | None:
        """The reason why text was lost; None if all was written, or if the reader closed its end."""
        return None if isinstance(self._stopped, BrokenPipeError) else self._stopped

    @property
    def has_stopped(self) -> bool:
        """Whether text is dropped from now on."""
        return self._stopped is not None

    def write(self, text: str) -> int:
        """Write a text, or drop it after a failure."""
        if self._stopped is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._stopped = error
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it after a failure."""
        if self._stopped is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._stopped = error

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        """Return the descriptor of the stream behind."""
        return int(self._stream.fileno())

    def writable(self) -> bool:
        """Return True: text can always be written."""
        return True


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one sentence on stderr, without the place in the source."""
    print(f"warning: {message}", file=sys.stderr)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep notes of libraries off stderr that users can do nothing about.

    matplotlib reports a home that cannot be written, though it draws all the same, and each character that its font
    lacks, which a picture shows as a box.
    """
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            warnings.filterwarnings("always", category=FutureWarning, module=r"(sim|agents|hardware|experiments)\.")
            warnings.showwarning = _show_warning
            yield
    finally:
        logger.setLevel(before)


@contextmanager
def safe_streams() -> Iterator[Output]:
    """Make stdout and stderr safe within this context. Both exist then, even if the caller closed them."""
    _fill_closed_descriptors()
    before = sys.stdout, sys.stderr
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - closed below
    out, err = (SafeStream(nowhere if stream is None else stream) for stream in before)
    sys.stdout, sys.stderr = cast(Any, out), cast(Any, err)
    try:
        yield out
    finally:
        for stream in (out, err):
            stream.flush()
        # A stream that failed keeps its text, and the interpreter would try to write it once more at its end.
        if not out.has_stopped:
            sys.stdout = before[0]
        if not err.has_stopped:
            sys.stderr = before[1]
        nowhere.close()


def _fill_closed_descriptors() -> None:
    """Open the standard descriptors that are closed, so that no file gets their numbers."""
    while (found := os.open(os.devnull, os.O_RDWR)) <= STANDARD:
        os.set_inheritable(found, True)
    os.close(found)
