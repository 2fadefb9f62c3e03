"""The bytes of a job log, unpacked if they are gzipped, as lines or as text."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, TextIO, cast

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_TAR_PLACE: Final = 257
"""Where a tar archive names its format."""
_HEAD_BYTES: Final = 4096
"""Bytes from which a format is recognised."""


class SourceError(ValueError):
    """A file that is not text, or not the gzip file that its name promises."""


class Source:
    """The content of one log. Raises SourceError from `reading` if it is packed in a way that is not read here."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._text: TextIO | None = None
        self._raw = raw = io.BufferedReader(cast(Any, file))
        self._packed = raw.peek(2)[:2] == _GZIP
        self._promised = name.lower().endswith(".gz")
        self._bytes = io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=raw))) if self._packed else raw

    def close(self) -> None:
        """Close the file and everything that reads from it."""
        if self._text is not None:
            self._text.close()
        self._bytes.close()
        self._raw.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn errors of unpacking and decoding into SourceError."""
        try:
            if self._promised and not self._packed:
                raise SourceError("not a whole gzip file: its name ends in .gz, and its content is not packed")
            yield
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise SourceError(f"not a whole gzip file ({error})") from None
        except UnicodeDecodeError:
            raise SourceError("not a text file in UTF-8") from None

    def head(self) -> bytes:
        """Return the first bytes without consuming them. Raises SourceError for an archive."""
        head = self._bytes.peek(_HEAD_BYTES)[:_HEAD_BYTES]
        archive = "zip" if head.startswith(_ZIP) else "tar" if head[_TAR_PLACE:].startswith(b"ustar") else None
        if archive:
            raise SourceError(f"a {archive} archive; allowed: one log. Unpack it first")
        return head.removeprefix(b"\xef\xbb\xbf")

    def lines(self) -> Iterator[bytes]:
        """Iterate over the lines, without a byte-order mark."""
        first = True
        for line in self._bytes:
            yield line.removeprefix(b"\xef\xbb\xbf") if first else line
            first = False

    def text(self) -> TextIO:
        """Return the content as text in UTF-8, without a byte-order mark and with its line ends as they are."""
        self._text = io.TextIOWrapper(self._bytes, encoding="utf-8-sig", newline="")
        return self._text
