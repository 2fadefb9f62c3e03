"""Flip bits in the files of a sweep; readers must return the stored values or raise InputError."""

from pathlib import Path

import numpy as np

from experiments.errors import InputError
from experiments.sweep.part_files import TABLES, parts
from experiments.sweep.query import manifest, read, series, timings
from experiments.sweep.storage import MANIFEST

READERS = {"runs": read, "series": series, "timings": timings, MANIFEST: manifest}


def stored_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of a sweep by their kind."""
    return {kind: list(parts(folder, kind).values()) for kind in TABLES} | {MANIFEST: [folder / MANIFEST]}


def flip_bits(folder: Path, flips: int, seed: int) -> tuple[int, int]:
    """Flip one bit at a time, and return the numbers of errors and of unchanged values.

    Raises AssertionError if other values are read, or if the message does not name the file.
    """
    chance, noticed = np.random.default_rng(seed), 0
    kinds = stored_files(folder)
    expected = {kind: READERS[kind](folder) for kind in kinds}
    for turn in range(flips):
        kind = list(kinds)[turn % len(kinds)]
        path = kinds[kind][chance.integers(len(kinds[kind]))]
        whole = path.read_bytes()
        at, bit = int(chance.integers(len(whole))), int(chance.integers(8))
        _replace_byte(path, at, whole[at] ^ 1 << bit)
        try:
            assert READERS[kind](folder) == expected[kind], f"bit {bit} of byte {at} of {path.name}: other values"
        except InputError as error:
            noticed += 1
            assert str(error).startswith(f"{path} is damaged: its content is not what was written."), error
        finally:
            _replace_byte(path, at, whole[at])
    return noticed, flips - noticed


def _replace_byte(path: Path, at: int, value: int) -> None:
    """Replace a byte in place: to write a whole file again takes some file systems milliseconds."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([value]))
