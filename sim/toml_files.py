"""TOML files read in one way: with or without a byte-order mark, and with one sentence for each thing that is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


class TomlError(ValueError):
    """A file cannot be read as TOML; the message names the file and what is wrong."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    A byte-order mark, which some editors put before the text, is passed over. Raises TomlError if the file cannot be
    read, is not text in UTF-8, or is not valid TOML.
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
    except ValueError as error:  # a name that no file can have, a number of thousands of digits
        raise TomlError(f"{str(path)!r}: cannot be read ({error})") from None


def name_of(path: Path) -> str:
    """Return the name of a file without its ending, with a question mark for each byte that is not UTF-8."""
    return path.stem.encode(errors="replace").decode()
