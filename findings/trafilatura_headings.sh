#!/usr/bin/env bash
# trafilatura 2.3.1, output_format="markdown", a page of an h1, a paragraph, an h2 and a paragraph: both headings are gone from what
# comes back, though Markdown has a way to write them and the page has nothing else. Of a Chinese page of the same form the headings are
# there as plain lines or not at all, and of a short page with a table the cells come one below the other. Whoever needs
# the headings above a paragraph has to read the page with a parser.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "trafilatura==2.3.1" lxml_html_clean 2> /dev/null
env/bin/python - <<'PY'
import trafilatura


def page(h1: str, p1: str, h2: str, p2: str) -> str:
    return f"<html><body><h1>{h1}</h1><p>{p1}</p><h2>{h2}</h2><p>{p2}</p></body></html>"


def said(html: str) -> str:
    return trafilatura.extract(html, output_format="markdown", include_tables=True)


english = said(page("East Lake", "The reservoir was built in 1958 and holds 320 million cubic metres of water.",
                    "Management", "Water is let out from June on every year."))
chinese = said(page("东湖水库", "水库建于1958年，库容为3.2亿立方米。" * 20, "管理", "每年六月开始放水。" * 20))
table = said("<html><body><h1>Fees</h1><p>These are the fees.</p><table><tr><th>Day</th><th>Fee</th></tr>"
             "<tr><td>Monday</td><td>5</td></tr></table></body></html>")
for text in (english, chinese[:60], table):
    print(repr(text))
assert "East Lake" not in english and "Management" not in english, english
assert "#" not in chinese and "# " not in table, (chinese, table)
assert "|" not in table and "Monday\n5" in table, table
PY
echo "as described"
