"""Prefaces and afterwords of an evolved instruction, in seven languages, which are taken off.

    bare_evolution("¡Claro! Aquí tienes la instrucción reescrita:\\n\\n¿Por qué ronronean los gatos?")    # "¿Por qué ronronean los gatos?"

A remark on an instruction has to speak of the rewriting. Where an instruction could say the same to its reader, it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.errors import Filtered
from tasks.patterns import pattern
from tasks.text.languages import either
from tasks.text.reading.wrapping import bare_instruction

PREFACES = pattern(
    r"\W*(?:"
    # German
    r"(?:(?:gerne?|natürlich|klar|sicher|selbstverständlich)\b[^\n]{0,20}?[!,.:]\s*)?(?:hier (?:ist|kommt)|das ist)\b[^\n:]{0,30}"
    r"\b(?:umgeschriebene|überarbeitete|umformulierte|erweiterte|verbesserte|angepasste|neue)\w? (?:version|fassung|anweisung|aufgabe|frage|anfrage|prompt)\b[^\n:]{0,60}:"
    # French
    r"|(?:(?:bien sûr|certainement|d'accord|avec plaisir)\b[^\n]{0,20}?[!,.:]\s*)?voici\b[^\n:]{0,40}"
    r"\b(?:(?:version|instruction|consigne|question|invite) (?:réécrite|reformulée|modifiée|révisée|améliorée|plus complexe|enrichie)|nouvelle (?:version|instruction|consigne|question))\b[^\n:]{0,60}:"
    # Spanish
    r"|(?:(?:claro(?: que sí)?|por supuesto|desde luego|con gusto)\b[^\n]{0,20}?[!,.:]\s*)?aquí (?:está|tienes?|va)\b[^\n:]{0,40}"
    r"\b(?:(?:versión|instrucción|pregunta|consigna|tarea) (?:reescrita|reformulada|modificada|revisada|mejorada|más compleja)|nueva (?:versión|instrucción|pregunta|consigna|tarea))\b[^\n:]{0,60}:"
    # those with a file of their own
    rf"|{either('preface')}"
    r")[*_\s]*(?=\S)",
    re.IGNORECASE,
)
ON_REWRITING = pattern(  # a whole last line or paragraph
    r"[(（\[*_\s]*(?:"
    r"(?:note:? )?i(?:['’]ve| have)? (?:just |also )?(?:added|changed|made|replaced|rewrote|increased|introduced|included|incorporated|kept)\b[^\n?]{0,80}"
    r"\b(?:constraints?|requirements?|conditions?|complexity|difficulty|reasoning|the (?:original|instruction|prompt|question)|more (?:specific|complex|difficult|challenging)|words)\b[^\n?]{0,120}"
    r"|(?:hinweis|anmerkung): [^\n?]{0,40}\b(?:hinzugefügt|ergänzt|umformuliert|erweitert)\b[^\n?]{0,80}"
    r"|(?:ich habe|es wurde) [^\n?]{0,80}\b(?:bedingung|anforderung|einschränkung)(?:en)? [^\n?]{0,30}\b(?:hinzugefügt|ergänzt)\b[^\n?]{0,40}"
    r"|j['’]ai ajouté [^\n?]{0,60}\b(?:contraintes?|conditions?|exigences?)\b[^\n?]{0,80}"
    r"|he (?:añadido|agregado) [^\n?]{0,60}\b(?:restricci(?:ón|ones)|condici(?:ón|ones)|requisitos?)\b[^\n?]{0,80}"
    rf"|{either('remark')}"
    r")[)）\]*_\s.。]*",
    re.IGNORECASE,
)


def bare_evolution(text: str) -> str:
    """An evolved instruction without a preface before it and remarks on its rewriting after it."""
    before = None
    while text != before:
        before = text
        text = bare_instruction(text)
        if found := PREFACES.match(text):
            text = text[found.end() :]
        text = _without_remark(text)
    return text


def removed_from(completion: str, evolved: str) -> Iterator[Filtered]:
    """What was taken off a completion to have the instruction in it, as losses: `preface`, `afterword`."""
    before, _, after = completion.partition(evolved)
    for reason, words in (("preface", before), ("afterword", after)):
        if before != completion and any(map(str.isalnum, words)):
            yield Filtered(reason, raw=words.strip())


def _without_remark(text: str) -> str:
    """The text without a last line that speaks of the rewriting, or a bracket that does at its end."""
    lines = text.rstrip().split("\n")
    while len(lines) > 1 and ON_REWRITING.fullmatch(lines[-1].strip()):
        lines.pop()
        while lines and not lines[-1].strip():
            lines.pop()
    text = "\n".join(lines)
    opening = max(text.rfind("("), text.rfind("（"))
    if opening > 0 and text.endswith((")", "）")) and ON_REWRITING.fullmatch(text[opening:]):
        text = text[:opening].rstrip()
    return text
