"""A PDF of a few lines, written by hand: a page for each list of lines, and a table of contents."""

from __future__ import annotations

from collections.abc import Sequence


def small_pdf(pages: Sequence[Sequence[str]], contents: Sequence[tuple[str, int]] = ()) -> bytes:
    """`contents`: titles, each with the number of its page, from 0 on."""
    objects: dict[int, str] = {}
    first = 10  # numbers below are for what stands once
    for at, lines in enumerate(pages):
        said = "".join(f"1 0 0 1 72 {760 - 24 * row} Tm ({line}) Tj\n" for row, line in enumerate(lines))
        stream = f"BT /F1 12 Tf\n{said}ET"
        objects[first + 2 * at] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {first + 2 * at + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects[first + 2 * at + 1] = f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"
    kids = " ".join(f"{first + 2 * at} 0 R" for at in range(len(pages)))
    objects[1] = "<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>"
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"
    objects[3] = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    entries = [first + 2 * len(pages) + at for at in range(len(contents))]
    objects[4] = f"<< /Type /Outlines /Count {len(contents)}" + (
        f" /First {entries[0]} 0 R /Last {entries[-1]} 0 R >>" if entries else " >>"
    )
    for at, (title, page) in enumerate(contents):
        beside = f" /Next {entries[at + 1]} 0 R" if at + 1 < len(entries) else ""
        objects[entries[at]] = (
            f"<< /Title ({title}) /Parent 4 0 R /Dest [{first + 2 * page} 0 R /XYZ 0 792 0]{beside} >>"
        )
    written, places = b"%PDF-1.4\n", {}
    for number, body in sorted(objects.items()):
        places[number] = len(written)
        written += f"{number} 0 obj\n{body}\nendobj\n".encode()
    size = max(objects) + 1
    table = "".join(f"{places[n]:010d} 00000 n \n" if n in places else "0000000000 65535 f \n" for n in range(size))
    return (
        written
        + f"xref\n0 {size}\n{table}trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(written)}\n%%EOF".encode()
    )
