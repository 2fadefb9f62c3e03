"""Execute the notebooks; write a page of docs/ with its figures and an .ipynb file for each.

Run as ``python -m experiments.docs_build.notebook_pages docs [NAME ...]``. Needs jupytext, nbclient and ipykernel.
"""
# ruff: noqa: PLC0415 - packages that execute notebooks are imported only for that

from __future__ import annotations

import os
import sys
import textwrap
from base64 import b64decode
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from experiments.errors import InputError

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "notebooks"
CELL_TIMEOUT_SECONDS: Final = 300
"""Time limit of a cell [s]."""
WIDTH: Final = 110
"""Characters in a line of printed text."""


class Page(NamedTuple):
    """The page of a notebook: Markdown and the figures in it."""

    text: str
    pictures: dict[str, bytes]
    """PNG files by name."""


def names() -> list[str]:
    """Return the names of the notebooks, in their order."""
    return sorted(path.stem for path in SOURCES.glob("*.py"))


def read(path: Path) -> Any:
    """Read a notebook that is stored as text. Raises InputError if jupytext is not installed."""
    return _jupytext().read(path)


def _jupytext() -> Any:
    try:
        import jupytext
    except ImportError:
        raise InputError("notebooks need jupytext, nbclient and ipykernel: pip install 'asara[dev]'") from None
    return jupytext


def execute(notebook: Any) -> Any:
    """Run all cells of a notebook in a temporary folder, and return it with their output.

    Raises nbclient's CellExecutionError, with the cell and its traceback, if one fails.
    """
    from nbclient import NotebookClient
    from traitlets.config import Config

    here = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = dict(os.environ) | {"PYTHONPATH": here, "COLUMNS": "100"}
    with TemporaryDirectory() as folder:
        sockets = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})  # instead of open ports
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            config=sockets,
        )
        client.execute(env=environment)
    return notebook


def page(notebook: Any, name: str) -> Page:
    """Return the page of an executed notebook: its text, its code and the output."""
    pictures: dict[str, bytes] = {}
    text = "\n\n".join(part for cell in notebook.cells for part in _cell(cell, name, pictures))
    origin = (
        "*This page is a notebook. You can skip the grey blocks of code: the output of each follows it. The source is "
        f"[notebooks/{name}.py](../../notebooks/{name}.py); `make notebooks` executes it and generates this page.*"
    )
    title, _, rest = text.partition("\n\n")
    return Page(f"{title}\n\n{origin}\n\n{rest}\n", pictures)


def _cell(cell: Any, name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield cell.source.strip()
        return
    yield f"```python\n{cell.source.strip()}\n```"
    for plain, together in groupby(cell.outputs, key=_is_text):
        if plain:
            if text := "".join(_text(output) for output in together):
                yield _fenced(text)
        else:
            for output in together:
                yield from _render_output(output, name, pictures)


def _is_text(output: Any) -> bool:
    return output.output_type == "stream" or not {"image/png", "text/markdown"} & output.data.keys()


def _text(output: Any) -> str:
    """Return the printed text, without stderr, which has only progress and times."""
    if output.output_type == "stream":
        return str(output.text) if output.name == "stdout" else ""
    return str(output.data.get("text/plain", ""))


def _render_output(output: Any, name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    if "image/png" in output.data:
        alt = output.metadata.get("image/png", {}).get("alt", "")
        file = f"notebook-{name}-{len(pictures) + 1}.png"
        pictures[file] = b64decode(output.data["image/png"])
        yield f"![{alt}](../pictures/{file})"
    else:
        yield output.data["text/markdown"].strip()


def _fenced(text: str) -> str:
    lines = (textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in text.rstrip().splitlines())
    return "\n".join(["```text", *lines, "```"])


def write(docs: Path, chosen: Sequence[str]) -> None:
    """Execute notebooks; write their pages and figures into docs/, and an .ipynb file beside each source."""
    for name in chosen:
        notebook = execute(read(SOURCES / f"{name}.py"))
        made = page(notebook, name)
        (docs / "notebooks").mkdir(parents=True, exist_ok=True)
        (docs / "notebooks" / f"{name}.md").write_text(made.text, encoding="utf-8")
        for old in (docs / "pictures").glob(f"notebook-{name}-*.png"):
            old.unlink()
        for file, png in made.pictures.items():
            (docs / "pictures" / file).write_bytes(png)
        _jupytext().write(notebook, SOURCES / f"{name}.ipynb")
        print(f"{name}: {len(made.pictures)} pictures")


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:] or names())
