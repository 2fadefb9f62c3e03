"""Read TOML files, with one sentence for each kind of error."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


class TomlError(ValueError):
    """Report a file that cannot be read as TOML; the message contains the file and the problem."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    A byte-order mark, which some editors put before the text, is ignored. Raises TomlError if the file cannot be read,
    is not text in UTF-8, or is not valid TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TomlError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise TomlError(f"{path}: is not text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"{path}: is not valid TOML ({error})") from None
    except RecursionError:
        raise TomlError(f"{path}: is not valid TOML (too many brackets within brackets)") from None
    except ValueError as error:  # such as an impossible file name, or a number with thousands of digits
        raise TomlError(f"{str(path)!r}: cannot be read ({error})") from None


def name_of(path: Path) -> str:
    """Return the name of a file without its extension, with a question mark for each byte that is not UTF-8."""
    return path.stem.encode(errors="replace").decode()
