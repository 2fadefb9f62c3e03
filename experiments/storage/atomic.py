"""Write files atomically, and convert values for JSON."""

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
    """Return valid JSON in the given order. Raises ValueError for a number that is not finite."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def json_file(content: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON file; bytes of a file name that are not UTF-8 become question marks."""
    return f"{to_json(content)}\n".encode(errors="replace")


@contextmanager
def report_write_errors(place: Path) -> Iterator[None]:
    """Raise InputError in place of OSError within this context, with the place that cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{place} cannot be written ({_format_reason(error)}). Choose a place that has space and can be written."
        ) from None


def _format_reason(error: OSError) -> str:
    """Return the reason of a failure without its error number; pyarrow's own text has several lines."""
    return os.strerror(error.errno) if error.errno else str(error)


def to_json_values(value: Any) -> Any:
    """Return records as values that JSON can hold: dictionaries, lists and numbers; None if a number is not finite."""
    if hasattr(value, "_asdict"):
        return {name: to_json_values(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): to_json_values(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_values(inner) for inner in value]
    if isinstance(value, float):  # converts NumPy's float64, which is a float too
        return float(value) if math.isfinite(value) else None
    return value


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder, each one atomically; other files in the folder stay.

    Raises InputError with the name of the file if one cannot be written.
    """
    with report_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with report_write_errors(folder / name):
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
