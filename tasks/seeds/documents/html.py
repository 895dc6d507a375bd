"""The blocks of an HTML page: its headings, paragraphs, lists, tables and code, without scripts and what leads to other pages.

Needs the extra `documents` (selectolax, whose parser is Lexbor's, and mends what browsers mend).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tasks.text.documents.blocks import DocumentBlock

LEFT_OUT = (
    "script,style,noscript,template,nav,aside,form,button,svg,iframe,rt,rp,head,dialog,[hidden],[aria-hidden=true]"
)
MAIN_PART = ("main", "article", "[role=main]")
FRAME = "body > header, body > footer"
"""Of the page, where it does not mark its main part."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
PARTS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "header",
        "html",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "ul",
        "hr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    ]
)
"""Elements that begin a block of their own."""


CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
DECLARED_WITHIN = 4096  # bytes


def charset_of(page: bytes) -> str:
    """How a page says that its bytes are to be read; UTF-8 where it says nothing."""
    found = CHARSET.search(page[:DECLARED_WITHIN])
    said = found[1].decode().lower() if found else "utf-8"
    return "utf-8-sig" if said in ("utf-8", "utf8") else said


def html_blocks(page: str) -> list[DocumentBlock]:
    """The blocks of a page, in its order: of its main part with the first heading of the page, else of all but its frame."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    for node in tree.css(LEFT_OUT):
        node.decompose()
    marked = next((found for name in MAIN_PART if len(found := tree.css(name)) == 1 and _said(found[0])), None)
    title = tree.css_first("h1")
    if marked is None:
        _drop_frame(tree)
    root = marked[0] if marked else tree.body
    blocks = [block for block in _blocks(root) if block.text] if root is not None else []
    if title is not None and marked and (heading := DocumentBlock(_said(title), 1)) not in blocks and heading.text:
        blocks.insert(0, heading)  # it stands in the page's header
    return blocks


def _drop_frame(tree: Any) -> None:
    for node in tree.css(FRAME):
        if node.css_first("h1") is None:
            node.decompose()


def _blocks(node: Any) -> Iterator[DocumentBlock]:
    """The blocks below an element. What stands loose between two of them is one."""
    loose: list[str] = []
    for child in node.iter(include_text=True):
        if child.tag not in PARTS and child.css_first(",".join(PARTS)) is None:
            loose.append(_text_of(child))
            continue
        yield DocumentBlock(_tidy("".join(loose)))
        loose = []
        yield from _part(child)
    yield DocumentBlock(_tidy("".join(loose)))


def _part(node: Any) -> Iterator[DocumentBlock]:
    """The blocks that an element is."""
    if node.tag in HEADINGS:
        yield DocumentBlock(_said(node), HEADINGS[node.tag])
    elif node.tag == "pre":
        yield DocumentBlock(node.text().strip("\n").rstrip())
    elif node.tag == "table":
        yield DocumentBlock(_table(node))
    elif node.tag in ("ul", "ol"):
        yield DocumentBlock(_list(node, ""))
    else:
        yield from _blocks(node)


def _list(node: Any, indent: str) -> str:
    items = [one for one in node.iter() if one.tag == "li"]
    marks = [f"{number}. " if node.tag == "ol" else "- " for number in range(1, len(items) + 1)]
    return "\n".join(_item(item, indent, mark) for item, mark in zip(items, marks, strict=True))


def _item(item: Any, indent: str, mark: str) -> str:
    """An item with the lists inside it below."""
    inner = [one for one in item.iter() if one.tag in ("ul", "ol")]
    below = [_list(one, f"{indent}  ") for one in inner]
    own = "".join(_text_of(one) for one in item.iter(include_text=True) if one.tag not in ("ul", "ol"))
    return "\n".join([f"{indent}{mark}{' '.join(own.split())}", *below])


def _table(node: Any) -> str:
    """A table as Markdown, its first row as the heading."""
    rows = [[_said(cell).replace("|", "\\|") for cell in row.css("td,th")] for row in node.css("tr")]
    lines = [f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in rows if any(row)]
    if len(lines) > 1:
        lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def _text_of(node: Any) -> str:
    """The text below a node as it stands; a line break is one, and parts are lines of their own."""
    if node.tag == "-text":
        return " ".join(f"_{node.text_content or ''}_".split())[1:-1]
    if node.tag == "br":
        return "\n"
    if node.tag.startswith("-"):
        return ""
    said = "".join(_text_of(one) for one in node.iter(include_text=True))
    return f"\n{said}\n" if node.tag in PARTS else said


def _said(node: Any) -> str:
    return _tidy(_text_of(node)).replace("\n", " ")


def _tidy(text: str) -> str:
    """A text without spaces at the ends of lines, nor empty lines."""
    lines = (" ".join(line.replace("\xa0", " ").split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
