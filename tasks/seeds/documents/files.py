"""A folder of documents (or one of them) as records: a chunk each, with the document and the headings that it stands below.

    stillroom sft --recipe documents --seeds DIR

Takes .md, .txt, .html and .pdf. A file that cannot be read, or is of another kind, is a reject by its name, and the others go on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from tasks.errors import ConfigError
from tasks.seeds.documents.html import charset_of, html_blocks
from tasks.seeds.documents.pdf import pdf_blocks
from tasks.seeds.readers import BadRecord, Placed, Reader, Record, bytes_of
from tasks.storage.digest import digest
from tasks.text.documents.blocks import DocumentBlock, markdown_blocks, plain_blocks
from tasks.text.documents.chunks import Chunking, chunks_of

DOCUMENT_COLUMNS = {name: name for name in ("context", "document", "headings", "chunk_id")}
"""What a record holds: the chunk's text, the file's path in its folder, the headings above it, and its name."""
KINDS: Mapping[str, str] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
}
NEEDS = {"html": "selectolax", "pdf": "pypdfium2"}
FORMS = "documents may be .md, .txt, .html or .pdf"


def holds_documents(path: Path) -> bool:
    """Whether it is a document, or a folder with one in it."""
    return bool(path.suffix.lower() in KINDS if path.is_file() else any(map(_kind, document_files(path))))


def document_files(path: Path) -> list[Path]:
    """The files of a folder, in order; hidden ones, and those in hidden folders, left out. A file is all of itself."""
    if path.is_file():
        return [path]
    names = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in names if not any(part.startswith(".") for part in file.relative_to(path).parts))


def document_reader(path: Path, name: str, chunking: Chunking) -> Reader:
    """A reader for documents. Raises ConfigError where there is none, or what reads one is not installed."""
    files = document_files(path)
    if not any(map(_kind, files)):
        raise ConfigError("no document in the folder" if files else "the folder is empty", name, FORMS)
    _check_installed(files)
    root = path if path.is_dir() else path.parent
    chunks_in: dict[Path, int] = {}

    def records(start: int, _: Sequence[str] | None) -> Placed:
        number = 0
        for file in files:
            if number + chunks_in.get(file, 0) <= start and file in chunks_in:
                number += chunks_in[file]  # read already, and all of it lies before the start
                continue
            before = number
            for record in _records_of(file, file.relative_to(root).as_posix(), chunking):
                number += 1
                if number > start:
                    yield number, record
            chunks_in[file] = number - before

    return Reader(
        name=name,
        place="chunk",
        size=None,
        records=records,
        content=partial(_content, files, root, chunking),
        header=lambda: list(DOCUMENT_COLUMNS),
    )


def _kind(file: Path) -> str | None:
    return KINDS.get(file.suffix.lower())


def _check_installed(files: Sequence[Path]) -> None:
    for file in files:
        if (module := NEEDS.get(_kind(file) or "")) and find_spec(module) is None:
            fix = "pip install 'stillroom[documents]'"
            raise ConfigError(f"{file.suffix.lower()} files need the extra documents ({module})", file.name, fix)


def _content(files: Sequence[Path], root: Path, chunking: Chunking) -> str:
    parts = ((file.relative_to(root).as_posix(), bytes_of(file, str(file))) for file in files)
    return digest(chunking.model_dump_json(), *(part for pair in parts for part in pair))


def _records_of(file: Path, document: str, chunking: Chunking) -> Iterator[Record]:
    """The chunks of a file, each a record; where it cannot be read, the one that says why."""
    try:
        blocks = _blocks_of(file, document)
    except ConfigError as error:
        yield BadRecord(error, json.dumps({"document": document}, ensure_ascii=False))
        return
    repeated = Counter[tuple[str, tuple[str, ...]]]()
    for chunk in chunks_of(blocks, chunking):
        chunk_id = digest(document, *chunk.headings, chunk.text, repeated[chunk])
        repeated[chunk] += 1
        yield {
            "context": chunk.text,
            "document": document,
            "headings": list(chunk.headings),
            "chunk_id": chunk_id,
        }


def _blocks_of(file: Path, document: str) -> list[DocumentBlock]:
    """The blocks of a file. Raises ConfigError where it cannot be read, or there is nothing in it."""
    kind = _kind(file)
    if kind is None:
        raise ConfigError("a kind of file that is not read", document, FORMS)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError("cannot read the file", f"{document}: {error.strerror}", "see to its permissions") from error
    blocks = READ[kind](content, document)
    if not any(block.text.strip() and not block.level for block in blocks):
        raise ConfigError("no text in the document", document, "leave it out")
    return blocks


def _decoded(content: bytes, document: str, charset: str = "utf-8-sig") -> str:
    try:
        return content.decode(charset)
    except (UnicodeDecodeError, LookupError) as error:
        what = f"{document}: {error}"
        raise ConfigError(f"not {charset.removesuffix('-sig').upper()}", what, "save the file as UTF-8") from error


def _of_page(content: bytes, document: str) -> list[DocumentBlock]:
    return html_blocks(_decoded(content, document, charset_of(content)))


READ: Mapping[str, Callable[[bytes, str], list[DocumentBlock]]] = {
    "markdown": lambda content, document: markdown_blocks(_decoded(content, document)),
    "text": lambda content, document: plain_blocks(_decoded(content, document)),
    "html": _of_page,
    "pdf": pdf_blocks,
}
