"""The page docs/where-each-number-comes-from.md, made from the declarations of the parameters.

Run as ``python -m experiments.reference PATH``.
"""

import sys
from itertools import groupby
from pathlib import Path

from sim.scenario import Parameter, parameters

INTRODUCTION = """# Where each number comes from

Every parameter, with what it means, what is allowed, its default, and the source of the default. The defaults are
the scenario `lab`. `asara explain NAME` prints the same for one of them. This page is made by `make docs` from the
declarations in the code, where each parameter stands once, beside the part that uses it.
"""


def parameters_page() -> str:
    """Return the page as Markdown, one section a block."""
    blocks = groupby(parameters().values(), key=lambda parameter: parameter.block)
    return "\n".join([INTRODUCTION, *(_section(block, list(entries)) for block, entries in blocks)])


def _section(block: str, entries: list[Parameter]) -> str:
    return f"## {block}\n\n" + "\n".join(_entry(parameter) for parameter in entries)


def _entry(parameter: Parameter) -> str:
    default = str(parameter.default).lower() if isinstance(parameter.default, bool) else f"{parameter.default}"
    return (
        f"**`{parameter.flat_name}`** = {default} ({parameter.allowed})\n"
        f": {parameter.meaning}\n"
        f": *Where it comes from:* {parameter.source}\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(parameters_page(), encoding="utf-8")
