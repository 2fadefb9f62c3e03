"""Write the output of today into the pages that show it: `python -m tests.docs.renew [PAGE ...]`."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.doc_pages import NOTEBOOK_PAGES, PAGES, ROOT, execute_page, text_of


def renew(page: str) -> bool:
    """Execute a page in a temporary folder and write it back; return whether it has changed."""
    text = text_of(page)
    if "```console" not in text and "```text" not in text:
        return False
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        found = execute_page(page, text, Path(folder))
        os.chdir(ROOT)
    (ROOT / page).write_text(found, encoding="utf-8")
    return found != text


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    for name in sys.argv[1:] or [page for page in PAGES if not page.startswith(NOTEBOOK_PAGES)]:
        print(f"{name}: {'renewed' if renew(name) else 'unchanged'}")
