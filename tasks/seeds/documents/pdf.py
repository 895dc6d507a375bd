"""The blocks of a PDF file: its text page by page, with the headings that its table of contents names.

Needs the extra `documents` (pypdfium2, which is PDFium, the reader in Chromium). A page that is a picture has no text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.errors import ConfigError
from tasks.text.documents.blocks import DocumentBlock

HYPHEN = "\ufffe"
"""What PDFium gives for a hyphen at which a word was parted at the end of a line."""
PASSWORD = "password"


def pdf_blocks(content: bytes, name: str) -> list[DocumentBlock]:
    """The blocks of a file, in its order. Raises ConfigError for one that cannot be opened, or has no text."""
    import pypdfium2

    opened: Any = pypdfium2.PdfDocument
    try:
        document = opened(content)
    except pypdfium2.PdfiumError as error:
        locked = PASSWORD in str(error).casefold()
        fix = "save it without a password" if locked else "mend it, or leave it out"
        raise ConfigError("cannot read the PDF", f"{name}: {error}", fix) from error
    try:
        blocks = [block for page in _pages(document) for block in page]
    except pypdfium2.PdfiumError as error:
        raise ConfigError("cannot read a page of the PDF", f"{name}: {error}", "mend it, or leave it out") from error
    finally:
        document.close()
    if not blocks:
        raise ConfigError(
            "no text in the PDF", name, "its pages are pictures: put them through a reader of texts first"
        )
    return blocks


def _pages(document: Any) -> Iterator[list[DocumentBlock]]:
    titles: dict[int, dict[str, int]] = {}
    for entry in document.get_toc():
        if (place := entry.get_dest()) is not None and place.get_index() is not None:
            titles.setdefault(place.get_index(), {})[_plain(entry.get_title())] = entry.level + 1
    for number in range(len(document)):
        page = document[number]
        text = page.get_textpage()
        yield list(_of_page(text.get_text_bounded(), titles.get(number, {})))
        text.close()
        page.close()


def _of_page(text: str, titles: dict[str, int]) -> Iterator[DocumentBlock]:
    """The lines of a page as blocks, parted where a heading of the table of contents or an empty line stands."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace(f"{HYPHEN}\n", "").replace(HYPHEN, "-").split("\n"):
        level = titles.get(_plain(line), 0)
        if level or not line.strip():
            yield from _joined(lines)
            lines = []
        if level:
            yield DocumentBlock(line.strip(), level)
        elif line.strip():
            lines.append(line.rstrip())
    yield from _joined(lines)


def _joined(lines: list[str]) -> list[DocumentBlock]:
    return [DocumentBlock("\n".join(lines))] if lines else []


def _plain(title: str) -> str:
    return " ".join(title.split()).casefold()
