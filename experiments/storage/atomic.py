"""What any command may write: values made plain for JSON, and files that are whole or not there."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.errors import InputError


def to_json(content: Mapping[str, Any]) -> str:
    """Return valid JSON, in the order given; a number that JSON has no word for is an error."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def json_file(content: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON file. Bytes of a file's name that are not UTF-8 become question marks."""
    return f"{to_json(content)}\n".encode(errors="replace")


@contextmanager
def naming(place: Path) -> Iterator[None]:
    """Within this context, a failure to write raises InputError with the place that could not be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{place}: cannot be written ({_reason(error)}); name a place that has room and can be written"
        ) from None


def _reason(error: OSError) -> str:
    """The reason of a failure without the number that the system has for it; pyarrow's has several lines."""
    return os.strerror(error.errno) if error.errno else str(error)


def plain(value: Any) -> Any:
    """Return records as what JSON can hold: dictionaries, lists, numbers; None where a number is not finite."""
    if hasattr(value, "_asdict"):
        return {name: plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):  # NumPy's float64 is one too, and must not be seen as such
        return float(value) if math.isfinite(value) else None
    return value


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder, each of them whole or not at all; what else lies there stays.

    Raises InputError, which names the file, if one cannot be written.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with naming(folder / name):
            _write_file(folder, name, content)


def _write_file(folder: Path, name: str, content: bytes) -> None:
    handle, staged = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(staged).chmod(0o644)
        Path(staged).replace(folder / name)
    finally:
        Path(staged).unlink(missing_ok=True)
