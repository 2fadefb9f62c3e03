"""Make standard streams safe, so that a closed, full or non-Unicode stream does not stop a command."""

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

MAX_STANDARD_DESCRIPTOR: Final = 2
"""Highest file descriptor of a standard stream."""


class Output(Protocol):
    """Standard output after a command."""

    @property
    def failure(self) -> OSError | None:
        """Reason why text was lost; None if everything was written, or if the reader closed its end."""


class SafeStream(io.TextIOBase):
    """A text stream whose failures do not reach the writer: after the first failure, text is dropped.

    So the files of a command are written even if its table cannot be printed.
    """

    def __init__(self, stream: Any) -> None:
        """Wrap a stream; characters that it cannot encode are replaced."""
        super().__init__()
        self._stream = stream
        self._stopped: OSError | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in typeshed
        """Encoding of the underlying stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """Treatment of characters that the encoding lacks."""
        return "replace"

    @property
    def failure(self) -> OSError | None:
        """Reason why text was lost; None if everything was written, or if the reader closed its end."""
        return None if isinstance(self._stopped, BrokenPipeError) else self._stopped

    @property
    def has_stopped(self) -> bool:
        """Whether text is dropped."""
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
        """Return the descriptor of the underlying stream."""
        return int(self._stream.fileno())

    def writable(self) -> bool:
        """Return True, because text can always be written."""
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
    """Suppress notes of libraries on stderr that a user cannot act on.

    matplotlib reports a home folder that is not writable, although it draws anyway. It also reports each character
    that its font lacks, which a figure shows as a box.
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
    """Make stdout and stderr safe within this context; both exist, even if the caller closed them."""
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
        # A stream that failed keeps its text, and the interpreter would write it again at exit.
        if not out.has_stopped:
            sys.stdout = before[0]
        if not err.has_stopped:
            sys.stderr = before[1]
        nowhere.close()


def _fill_closed_descriptors() -> None:
    """Open the standard descriptors that are closed, so that another file does not get their numbers."""
    while (found := os.open(os.devnull, os.O_RDWR)) <= MAX_STANDARD_DESCRIPTOR:
        os.set_inheritable(found, True)
    os.close(found)
