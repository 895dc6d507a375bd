"""What generated text brings along, in seven languages: prefaces and afterwords of an evolved instruction, which are taken off;
greetings, labels, stated confidence and offers of more help in an answer, which are counted only.

    bare_evolution("¡Claro! Aquí tienes la instrucción reescrita:\\n\\n¿Por qué ronronean los gatos?")    # "¿Por qué ronronean los gatos?"
    brought_along("Why do cats purr?", "Answer: They are content.\\nConfidence: 95%")                     # ["label", "confidence"]

A remark on an instruction has to speak of the rewriting. Where an instruction could say the same to its reader, it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.errors import Filtered
from tasks.patterns import pattern
from tasks.text.languages import either
from tasks.text.reading.wrapping import bare_instruction
from tasks.text.responses import normalised
from tasks.text.words import nfc

LOOKED_AT = 400  # characters of an answer's beginning and end, where such words stand
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
GREETINGS = pattern(
    r"[\W_]{0,4}(?:(?:sure(?: thing)?|certainly|of course|absolutely|great question|good question|happy to help|i['’]d be happy to help[^\n.!:]{0,60})(?=[!,.:—–-]|\s*\n)"
    r"|(?:gerne|natürlich|selbstverständlich|klar)(?=[!,.:])|(?:bien sûr|certainement|avec plaisir)(?=\s?[!,.:])"
    rf"|(?:claro(?: que sí)?|por supuesto|con gusto)(?=[!,.:])|{either('greeting')})",
    re.IGNORECASE,
)
LABELS = pattern(
    rf"[*_#\s]{{0,6}}(?:(?:the |final |my )?(?:answer|response|reply|output|solution)|a|antwort|lösung|réponse|respuesta|solución|{either('answer')}|assistant|ai)"
    r"[*_\s]{0,4}[:：]",
    re.IGNORECASE,
)
CONFIDENCE = pattern(
    rf"^[*_#\s(\[-]{{0,6}}(?:my )?(?:confidence(?: (?:level|score))?|konfidenz|sicherheit|confiance|niveau de confiance|confianza|nivel de confianza|{either('confidence')})"
    rf"[*_\s]{{0,4}}[:：=]\s*[*_]{{0,2}}\s*(?:\d|high|low|medium|very|hoch|mittel|niedrig|élevée?|moyenne?|faible|alta|media|baja|{either('confidence_levels')})[^\n]{{0,40}}$",
    re.IGNORECASE | re.MULTILINE,
)
OFFERS = pattern(
    r"\b(?:(?:i|we) hope (?:this|that|these|it) (?:helps?|answers|clarif\w+|is helpful)|let me know if|(?:please )?feel free to (?:ask|reach out|let me know|contact me)|would you like me to"
    r"|is there anything else|if you (?:have|need) (?:any )?(?:more|further|other|additional) (?:questions|help|information|assistance)"
    r"|ich hoffe,? (?:das|dies) hilft|lassen? sie (?:es )?mich wissen|lass (?:es )?mich wissen|melden sie sich gerne"
    r"|n['’]hésitez pas à (?:me|poser|demander)|j['’]espère que (?:cela|ça|ceci)|espero que (?:esto|esta|te|le)|no dud(?:e|es) en (?:preguntar|consultar|contactar|pedir))\b"
    rf"|{either('offer')}",
    re.IGNORECASE,
)
LAST_PART = pattern(r"\n\s*\n(?!.*\n\s*\n)", re.DOTALL)


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


def brought_along(asked: str, answer: str) -> list[str]:
    """What an answer has that is no part of it: `greeting`, `label`, `confidence`, `offer`; `repeats_instruction`, all of it."""
    head, tail = nfc(answer[:LOOKED_AT]), nfc(answer[-LOOKED_AT:])
    found = [name for name, pattern in (("greeting", GREETINGS), ("label", LABELS)) if pattern.match(head)]
    if CONFIDENCE.search(tail):
        found.append("confidence")
    if OFFERS.search(_last_paragraph(tail)):
        found.append("offer")
    if asked and len(asked) // 2 <= len(answer) <= 2 * len(asked) and normalised(asked) == normalised(answer):
        found.append("repeats_instruction")
    return found


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


def _last_paragraph(text: str) -> str:
    found = LAST_PART.search(text)
    return text[found.end() :] if found else text
