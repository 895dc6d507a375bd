"""Folders of documents as records: what each kind of file is read as, what is refused by name, and where reading goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.seeds.documents.files import document_reader, holds_documents
from tasks.seeds.documents.html import html_blocks
from tasks.seeds.documents.pdf import pdf_blocks
from tasks.seeds.readers import BadRecord
from tasks.text.documents.blocks import DocumentBlock
from tasks.text.documents.chunks import Chunking
from tests.seeds.documents.small_pdf import small_pdf

PAGE = """<!doctype html><html><head><title>Ferries</title><style>p{margin:0}</style></head><body>
<nav><a href="/">Home</a></nav><header><h1>Ferries to Hiiumaa</h1></header>
<main><script>var x = "no text";</script><p>It takes&nbsp;75 minutes. A car costs <b>9.60</b>&nbsp;euros.</p>
<h2>Winter</h2>Loose text<br>on two lines
<ul><li>One <em>item</em><ol><li>inside</li></ol></li><li>Two</li></ul>
<table><tr><th>Day</th><th>First</th></tr><tr><td>Monday</td><td>06:00</td></tr></table>
<pre><code>def x():
    return 1</code></pre></main><footer>(c) Ferry Ltd</footer></body></html>"""


def test_a_page_is_read_without_what_leads_elsewhere() -> None:
    assert html_blocks(PAGE) == [
        DocumentBlock("Ferries to Hiiumaa", 1),
        DocumentBlock("It takes 75 minutes. A car costs 9.60 euros."),
        DocumentBlock("Winter", 2),
        DocumentBlock("Loose text\non two lines"),
        DocumentBlock("- One item\n  1. inside\n- Two"),
        DocumentBlock("| Day | First |\n|---|---|\n| Monday | 06:00 |"),
        DocumentBlock("def x():\n    return 1"),
    ]


def test_a_page_without_a_main_part_is_read_whole_but_for_its_frame() -> None:
    page = "<body><header><p>Our site</p></header><div><h3>水库</h3><p><ruby>水<rt>shuǐ</rt></ruby>面</div><footer>x</footer>"
    assert html_blocks(page) == [DocumentBlock("水库", 3), DocumentBlock("水面")]


@pytest.mark.parametrize("charset", ["gb2312", "shift_jis", "windows-1252"])
def test_a_page_is_read_by_the_charset_that_it_names(charset: str, tmp_path: Path) -> None:
    said = {
        "gb2312": "水库建于1958年。",
        "shift_jis": "ダムは1958年にできた。",
        "windows-1252": "“Déjà vu” costs 5 €.",
    }[charset]
    page = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset={charset}"></head><p>{said}</p>'
    (tmp_path / "page.html").write_bytes(page.encode(charset))
    assert [record["context"] for record in records(tmp_path)] == [said]


def test_a_pdf_has_the_headings_of_its_table_of_contents() -> None:
    content = small_pdf(
        [["1. Summer", "Ten ferries a day."], ["2. Winter", "Four ferries", "a day."]],
        [("1. Summer", 0), ("2. Winter", 1)],
    )
    assert pdf_blocks(content, "f.pdf") == [
        DocumentBlock("1. Summer", 1),
        DocumentBlock("Ten ferries a day."),
        DocumentBlock("2. Winter", 1),
        DocumentBlock("Four ferries\na day."),
    ]


def records(folder: Path, start: int = 0, **chunking: Any) -> list[Any]:
    reader = document_reader(folder, str(folder), Chunking(**chunking))
    return [record for _, record in reader.records(start, None)]


def a_folder(folder: Path) -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("hidden")
    (folder / "a.md").write_text(
        "# Ferries\n\nIt takes 75 minutes.\n\n# Winter\n\nFour a day, in all weathers and at all tides.\n"
    )
    (folder / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "c.txt").write_bytes("caf\xe9 in Latin-1".encode("latin-1"))
    (folder / "d.pdf").write_bytes(small_pdf([[]]))
    (folder / "e.docx").write_bytes(b"PK")
    (folder / "f.md").write_text("# Only a heading\n")
    (folder / "inner" / "g.html").write_text(PAGE)
    return folder


def test_a_file_that_cannot_be_read_is_told_by_name_and_the_others_go_on(tmp_path: Path) -> None:
    found = records(a_folder(tmp_path / "docs"))
    good = [(one["document"], one["headings"]) for one in found if isinstance(one, dict)]
    assert good == [("a.md", ["Ferries"]), ("a.md", ["Winter"]), ("inner/g.html", ["Ferries to Hiiumaa"])]
    told = [str(one.error) for one in found if isinstance(one, BadRecord)]
    assert [line.split(":")[0] for line in told] == [
        "cannot read the PDF",
        "not UTF-8",
        "no text in the PDF",
        "a kind of file that is not read",
        "no text in the document",
    ]
    assert all(name in line for name, line in zip(("b.pdf", "c.txt", "d.pdf", "e.docx", "f.md"), told, strict=True))


def test_reading_goes_on_at_any_record(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "docs")
    reader = document_reader(folder, "docs", Chunking())
    everything = [(number, str(record)) for number, record in reader.records(0, None)]
    for start in range(len(everything) + 1):
        assert [(number, str(record)) for number, record in reader.records(start, None)] == everything[start:]


def test_a_chunk_keeps_its_name_where_another_section_changes(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "docs")
    before = {one["chunk_id"]: one["context"] for one in records(folder) if isinstance(one, dict)}
    text = (folder / "a.md").read_text()
    (folder / "a.md").write_text(text.replace("75 minutes.", "75 minutes. A new sentence."))
    after = {one["chunk_id"]: one["context"] for one in records(folder) if isinstance(one, dict)}
    assert len(before.keys() - after.keys()) == 1 and len(after) == len(before)
    assert all(after.get(name, text) == text for name, text in before.items() if name in after)


@pytest.mark.parametrize(
    ("names", "told"), [([], "the folder is empty"), (["seeds.jsonl", "x.png"], "no document in the folder")]
)
def test_a_folder_without_a_document_is_one_line(names: list[str], told: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    assert not holds_documents(tmp_path)
    with pytest.raises(ConfigError, match=told):
        document_reader(tmp_path, "docs", Chunking())


def test_what_is_not_installed_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.seeds.documents.files.find_spec", lambda _: None)
    (tmp_path / "a.pdf").write_bytes(small_pdf([["text"]]))
    with pytest.raises(
        ConfigError, match=r"\.pdf files need the extra documents.*pip install 'stillroom\[documents\]'"
    ):
        document_reader(tmp_path, "docs", Chunking())
