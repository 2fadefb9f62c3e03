"""Rules for plain English: banned words and the length of sentences, for pages, docstrings, comments and messages.

`problems_in` is the whole interface. It takes plain text, in which code stands in backticks. Pages in Markdown go
through `prose_of_page` first.
"""

import ast
import inspect
import io
import re
import tokenize

MAX_WORDS = 25
"""Words that a sentence may have."""
MAX_WORDS_WITH_CODE = 30
"""Words that a sentence may have if it contains code, a link, an equation or an interval."""

BANNED = {
    r"(?:some|no)body": "name the person or thing that acts",
    r"whoever": "name the person or thing that acts",
    r"what becomes? of": "name the result",
    r"what became of": "name the result",
    r"those who": "name the group",
    r"all that": "write 'everything that' or name the things",
    r"so many": "give the number, or write 'many'",
    r"so much": "give the amount, or write 'much'",
    r"(?<!stepping on )toes": "parallelization penalty",
    r"luck(?:y|ily|iest)?": "randomness, random seed, sampling error or run-to-run variability",
    r"held against": "compared with",
    r"stints?": "allocation",
    r"shel(?:f|ves)": "cache",
    r"journeys?": "player, timeline or branch",
    r"batter(?:y|ies)": "conformance suite",
    r"(?:un)?housed": "active",
    r"starved": "stalled",
    r"foreign (?:source|code|kernels?|c\+\+)": "untrusted",
}
"""Patterns of words that are not used, and what to write instead (whole words, in any case)."""

_BANNED = {re.compile(rf"\b{pattern}(?!\w)", re.IGNORECASE): advice for pattern, advice in BANNED.items()}
_CODE = re.compile(r"``.+?``|`[^`]*`")
_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)")
_EQUATION = re.compile(r"[=^·×≤≥≈÷]|\[[\d−., -]+\]")
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|cf|vs|et al|Fig|approx)\.")
_SENTENCE_END = re.compile(r"""(?:(?<=[.!?])|(?<=[.!?]["'”’)*_])|(?<=[.!?]\*\*)|(?<=:)(?=\s+["'“‘(*_]*[A-Z§]))\s+""")
_WORDS_OF_A_MESSAGE = 4
_PLACE = "§"
"""What stands for a piece of code while sentences are split."""


def problems_in(text: str) -> list[str]:
    """Return what breaks the rules in a plain text, in order; an empty list if nothing does.

    Paragraphs end at an empty line. Code in backticks is not read: it counts as one word.
    """
    found = []
    for sentence in sentences(text):
        words = [word for word in sentence.split() if re.search(rf"[^\W\d_]|{_PLACE}", word)]
        allowed = MAX_WORDS_WITH_CODE if _has_code(sentence) else MAX_WORDS
        if len(words) > allowed:
            found.append(f"{len(words)} words, allowed: {allowed}. Split: {' '.join(sentence.split()[:9])} ...")
        for pattern, advice in _BANNED.items():
            for match in pattern.finditer(sentence):
                around = sentence[max(0, match.start() - 30) : match.end() + 30]
                found.append(f"'{match.group()}' is not used; write: {advice}. Found in: ... {around} ...")
    return found


def sentences(text: str) -> list[str]:
    """Split a plain text into sentences; code becomes a mark of one word, a link becomes its text and that mark."""
    marked = _CODE.sub(_PLACE, text)
    marked = _LINK.sub(lambda link: f"{link.group(1)}{_PLACE}", marked)
    marked = _ABBREVIATION.sub(lambda word: word.group(1).replace(".", ""), marked)
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", marked):
        found += _SENTENCE_END.split(" ".join(paragraph.split()))
    return [sentence for sentence in found if sentence]


def prose_of_page(page: str) -> str:
    """Return the prose of a page in Markdown: headings, paragraphs, items and cells, without blocks of code."""
    bare = re.sub(r"^(```|~~~).*?^\1$", "", page, flags=re.DOTALL | re.MULTILINE)
    bare = re.sub(r"<!--.*?-->", "", bare, flags=re.DOTALL)
    kept: list[str] = []
    for line in bare.splitlines():
        if re.match(r"(?: {4}|\t)(?!\s*[-*\d])", line) and (not kept or not kept[-1].strip()):
            kept.append("")  # indented code
        elif re.fullmatch(r"\s*\|[\s:|-]+\|\s*", line):
            kept.append("")  # the rule below the head of a table
        elif line.lstrip().startswith("|"):
            kept += ["", *(f"{cell.strip()}\n" for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))), ""]
        elif line.startswith("#"):
            kept += ["", line.lstrip("# "), ""]
        else:
            kept.append(line)
    return "\n".join(kept)


def _has_code(sentence: str) -> bool:
    return _PLACE in sentence or bool(_EQUATION.search(sentence))


def texts_of_module(source: str) -> list[tuple[int, str]]:
    """Return the docstrings, comments and messages of a Python module, each with its line number.

    A message is a string of at least four words; a value that is put into it counts as one word. Strings of
    JavaScript and of Python code are left out.
    """
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    found = _comments(source)
    for node in ast.walk(tree):
        text = _text_of(node) if id(node) not in inner else ""
        if (
            text
            and "=>" not in text
            and not _is_python(text)
            and (id(node) in docs or (len(re.findall(r"[A-Za-z]{2,}", text)) >= _WORDS_OF_A_MESSAGE and " " in text))
        ):
            found.append((getattr(node, "lineno", 0), inspect.cleandoc(text)))
    return sorted(found)


def _is_python(text: str) -> bool:
    """Return whether a text of several lines is Python code."""
    if "\n" not in text.strip():
        return False
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _text_of(node: ast.AST) -> str:
    """Return the text of a string, with code of reStructuredText as a mark; nothing for any other node."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f" {_PLACE} ".strip() for part in node.values
        )
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _comments(source: str) -> list[tuple[int, str]]:
    """Return each run of comment lines as one text; instructions to linters are left out."""
    found: list[tuple[int, str]] = []
    before = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or re.match(r"#\s*(noqa|type:|!|---)", token.string):
            continue
        text = re.sub(r"\s*#\s*noqa.*", "", token.string[1:]).strip(" -")
        alone = not token.line[: token.start[1]].strip()
        if alone and found and token.start[0] == before + 1:
            found[-1] = (found[-1][0], f"{found[-1][1]} {text}")
        else:
            found.append((token.start[0], text))
        before = token.start[0] if alone else -1
    return found
