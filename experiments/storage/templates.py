"""Write a commented template: priors, a design or a scenario that can be run without changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from experiments.errors import InputError

TemplateCommand = Literal["mc", "sweep", "run"]
"""Commands that read a file of the user, for which there is a template."""
TEMPLATES: Final = Path(__file__).parents[1] / "templates"


def write_template(command: TemplateCommand, path: Path) -> str:
    """Write the template of a command's file, and return a sentence with the next step.

    Raises InputError if the path exists, does not end in .toml, or cannot be written.
    """
    if path.suffix != ".toml":
        raise InputError(f"--new = {path} is not a TOML file; allowed: a name that ends in .toml. Add the ending.")
    text = (TEMPLATES / f"{command}.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"--new = {path} exists already; allowed: a new file. Choose another name.") from None
    except OSError as error:
        raise InputError(f"--new = {path} cannot be written ({error.strerror}). Choose another place.") from None
    return f"Written to {path}. Edit it, then run: asara {command} {path}"
