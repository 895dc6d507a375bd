"""Break the laws one by one, each in a copy of the tree, and expect its tests to fail.

    python -m tests.mutants [WORD]      # all, or those with a word in their name

Ends with 1 where a change goes unnoticed, where the text that it replaces is no longer there, and where the tests fail
without any change: they would notice nothing then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("flows", "tasks", "tests", "prompts", "pyproject.toml")
LAWS = "tests/engine/test_laws.py"
KEYS = "tests/engine/test_keys.py"


@dataclass(frozen=True)
class Mutant:
    """A change that breaks a law: each `old` in a file becomes its `new`; `tests` are those that have to notice."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: str


MUTANTS = (
    Mutant(
        "1: a reject is not written",
        "tasks/engine/shard.py",
        (
            (
                "_rejects([(fate.row, fate.reject) for fate in fates if fate.reject], technique)",
                "_rejects([], technique)",
            ),
        ),
        LAWS,
    ),
    Mutant(
        "2: the ledger is not asked",
        "tasks/ledger/ledger.py",
        (("                if isinstance(taken, Completion):", "                if False:"),),
        LAWS,
    ),
    Mutant(
        "2: nothing is leased",
        "tasks/ledger/leases.py",
        (("return statements.claim(connection, sorted(keys), hold.owner, self._lease_ms)", "return set(keys)"),),
        "tests/engine/test_leases.py",
    ),
    Mutant(
        "3: prompts out of the task key", "tasks/engine/keys.py", ((", prompts.digest_of(folder or name))", ")"),), KEYS
    ),
    Mutant(
        "3: the language out of the task key",
        "tasks/engine/prefect.py",
        (('"language": language, ', ""),),
        KEYS,
    ),
    Mutant(
        "3: timeout_s into the request key",
        "tasks/engine/ask.py",
        (
            (
                "taken.key(model.identity, attempt, sampled)",
                "taken.key(f'{model.identity}{member.config.timeout_s}', attempt, sampled)",
            ),
        ),
        LAWS,
    ),
    Mutant(
        "4: a truncated answer is a response",
        "tasks/models/answers/accept.py",
        (('if finish == "length" and not truncated_too:', "if False:"),),
        LAWS,
    ),
    Mutant(
        "4: requests are made after a permanent error",
        "tasks/engine/ask.py",
        (("            self._context.failed = error\n", ""),),
        LAWS,
    ),
    Mutant(
        "4: a permanent error does not stop admission",
        "tasks/engine/shard.py",
        (
            ("            if errors or context.stop", "            if context.stop"),
            ("            if errors:  # the place", "            if False:  # the place"),
        ),
        LAWS,
    ),
    Mutant(
        "5: a draw depends on the moment",
        "tasks/engine/row.py",
        (("return uniform(self.run_seed, self.row_id, *purpose)", "return random.random()"),),
        "tests/engine/test_laws.py tests/generate/test_tables.py",
    ),
    Mutant(
        "6: a bad row is let in",
        "tasks/engine/shard.py",
        (("faults[position]) if position in faults else None", "faults[position]) if False else None"),),
        LAWS,
    ),
    Mutant(
        "7: admission is not oldest first",
        "tasks/engine/admission.py",
        (("heapq.heappush(self._waiting, (order,", "heapq.heappush(self._waiting, (0,"),),
        LAWS,
    ),
    Mutant(
        "7: a slot does not go to the oldest row",
        "tasks/models/endpoint/window.py",
        (("heapq.heappush(self._waiting, (order,", "heapq.heappush(self._waiting, (0,"),),
        "tests/models/endpoint/test_window.py",
    ),
    Mutant(
        "8: an empty dataset replaces a good one",
        "flows/runs/lineage.py",
        (("if not (written.rows or self.plan.allow_empty):", "if False:"),),
        "tests/flows/runs/test_no_rows.py",
    ),
    Mutant(
        "9: a child keeps what is stale",
        "tasks/engine/row.py",
        (("changes = dict.fromkeys(stale_columns(self.columns, changes)) | changes", "pass"),),
        "tests/test_stale_columns.py",
    ),
    Mutant(
        "10: an answer that was cut off is a response",
        "tasks/models/answers/accept.py",
        (('if finish == "cut_off":', "if False:"),),
        "tests/models/answers",
    ),
    Mutant(
        "10: the next turn is taken for a part of the answer",
        "tasks/models/answers/accept.py",
        (('if "assistant" in text and (found', 'if "no such word" in text and (found'),),
        "tests/models/answers",
    ),
    Mutant(
        "10: words of the prompt are taken for an answer",
        "tasks/text/leaks.py",
        (("    if said:", "    if False:"),),
        "tests/text/test_leaks.py",
    ),
    Mutant(
        "1: rows that are counted nowhere, or twice, are not told",
        "tasks/engine/shard.py",
        (("    if twice or accounted + pending != len(fates):", "    if False:"),),
        "tests/generate/test_tables.py::test_a_technique_that_breaks_the_count_of_rows_is_told",
    ),
    Mutant(
        "1: a table step forgets the rows that it must not be given",
        "tasks/engine/shard.py",
        (
            (
                "        fate.reject = fate.reject or made.rejects.get(fate.row.row_id)",
                "        fate.reject = made.rejects.get(fate.row.row_id)",
            ),
        ),
        "tests/generate/test_tables.py::test_a_row_that_a_table_step_must_not_be_given_is_its_reject",
    ),
    Mutant(
        "2: an answer that came since the lookup is not seen",
        "tasks/ledger/ledger.py",
        (("            answered = self._found(connection, sorted(leased))", "            answered = {}"),),
        "tests/ledger/test_leases.py::test_an_answer_that_is_committed_between_lookup_and_lease_is_used",
    ),
    Mutant(
        "2: the lease of whoever took over is given up",
        "tasks/ledger/lease_statements.py",
        ((' AND owner = {one}", (*some, owner))', '", some)'),),
        "tests/ledger/test_leases.py::test_a_process_that_stood_still_does_not_give_up_the_lease_of_whoever_took_over",
    ),
    Mutant(
        "2: a request begins under a lease that has run out",
        "tasks/ledger/ledger.py",
        (("model.complete(hold.guarding(request))", "model.complete(request)"),),
        "tests/ledger/test_leases.py::test_a_request_does_not_begin_under_a_lease_that_has_run_out",
    ),
    Mutant(
        "2: of two answers the second one is used",
        "tasks/ledger/ledger.py",
        (("first.get(entry.key, entry.completion)", "entry.completion"),),
        "tests/ledger/test_leases.py::test_of_two_answers_the_first_one_committed_is_used",
    ),
    Mutant(
        "2: a cancelled request keeps its lease",
        "tasks/ledger/ledger.py",
        (
            (
                "                            self._leases.drop(wanted.key, hold, answered=False)\n                    resolve",
                "                            pass\n                    resolve",
            ),
        ),
        "tests/ledger/test_leases.py::test_whoever_is_cancelled_while_its_request_is_leased_gives_it_up",
    ),
    Mutant(
        "3: the roles of a row share their seeds",
        "tasks/engine/ask.py",
        (("row.row_id, wanted.name, wanted.by, wanted.sample", "row.row_id, wanted.name, wanted.sample"),),
        "tests/engine/test_keys.py::test_asks_of_other_rows_roles_templates_and_samples_have_seeds_of_their_own",
    ),
    Mutant(
        "3: how a text is embedded is not in the key",
        "tasks/engine/ask.py",
        (('digest(text, "embedding", *filter(None, [member.config.pooling]))', 'digest(text, "embedding")'),),
        "tests/engine/test_keys.py::test_how_a_text_is_embedded_or_scored_is_in_the_key",
    ),
    Mutant(
        "3: what is sent beside the rest is not in the identity",
        "tasks/models/endpoint/endpoint.py",
        (("        parts.append(config.extra_body)", "        pass"),),
        "tests/models/endpoint/test_endpoint.py::test_identity_holds_what_shapes_an_answer_and_nothing_else",
    ),
    Mutant(
        "4: refusals of rows are taken for the run's",
        "tasks/models/endpoint/refusals.py",
        (("            self.count, self._others = 0, True  # this one", "            pass  # this one"),),
        "tests/engine/test_refusals.py::test_refusals_of_rows_stay_those_of_rows",
    ),
    Mutant(
        "5: provenance tells in which order answers came",
        "tasks/engine/shard.py",
        (("for call in sorted(calls, key=lambda call: (call.template, call.sample, call.role))", "for call in calls"),),
        "tests/generate/test_tables.py::test_provenance_does_not_tell_in_which_order_answers_came",
    ),
    Mutant(
        "5: all runs draw alike",
        "tasks/engine/row.py",
        (("return uniform(self.run_seed, self.row_id, *purpose)", "return uniform(self.row_id, *purpose)"),),
        "tests/engine/test_keys.py::test_a_draw_depends_on_the_seed_of_the_run_the_row_and_its_purpose",
    ),
    Mutant(
        "5: a language more moves rows between the others",
        "tasks/engine/row.py",
        (
            (
                "    return max(languages, key=lambda language: uniform(run_seed, row_id, LANGUAGE, language))",
                "    return languages[int(uniform(run_seed, row_id, LANGUAGE) * len(languages))]",
            ),
        ),
        "tests/engine/test_keys.py::test_a_language_more_takes_rows_from_the_others_and_moves_none_between_them",
    ),
    Mutant(
        "5: prompts that differ in case alone stand in two splits",
        "tasks/publish/splits.py",
        (("normalised(words).encode", "words.encode"),),
        "tests/publish/test_splits.py::test_equal_prompts_are_in_one_split_and_others_do_not_move_them",
    ),
    Mutant(
        "7: a place given to a cancelled row is lost",
        "tasks/engine/admission.py",
        (
            (
                "            if place.done() and not place.cancelled():\n                self.leave()",
                "            if False:\n                self.leave()",
            ),
        ),
        LAWS,
    ),
    Mutant(
        "7: of several who share a window the largest number holds",
        "tasks/models/endpoint/window.py",
        (("        self.most = min(self.most, most)", "        self.most = max(self.most, most)"),),
        "tests/models/endpoint/test_window.py::test_of_several_who_share_it_the_smallest_number_holds",
    ),
    Mutant(
        "what is reserved of a budget is not given back",
        "tasks/engine/accounting.py",
        (("            self._reserve(-reserved.tokens, -reserved.cost)", "            pass"),),
        "tests/engine/test_budget.py::test_what_is_reserved_and_not_used_is_room_for_another",
    ),
    Mutant(
        "evidence is believed",
        "tasks/generate/texts/document_answers.py",
        (("if (missing := missing_part(quote, passage)) is not None:", "if (missing := None) is not None:"),),
        "tests/generate/test_documents.py",
    ),
    Mutant(
        "a value that is full takes one more",
        "tasks/curate/quotas.py",
        (
            (
                "if self._there[name, value] >= self._quotas[name][value]:",
                "if self._there[name, value] > self._quotas[name][value]:",
            ),
        ),
        "tests/curate/test_quotas.py",
    ),
    Mutant(
        "a fact of its own is no fault of a summary",
        "tasks/generate/texts/summarising.py",
        (("if params.check_facts and (facts := unstated(said, text, language)):", "if (facts := []):"),),
        "tests/generate/test_texts.py",
    ),
    Mutant(
        "constraints that contradict each other are drawn together",
        "tasks/verify/constraints/constraint.py",
        (
            (
                "left = [other for other in left if go_together(kind, other)]",
                "left = [other for other in left if kind is not other]",
            ),
        ),
        "tests/verify/test_drawing.py",
    ),
    Mutant(
        "a text that another constraint demands is forbidden",
        "tasks/verify/constraints/constraint.py",
        (("                return False\n    return True", "                return True\n    return True"),),
        "tests/verify/test_drawing.py",
    ),
    Mutant(
        "an answer that breaks its constraints is kept",
        "tasks/generate/verified_generation.py",
        (("        raise Unusable(said.reason", "        Unusable(said.reason"),),
        "tests/generate/test_constraints.py",
    ),
)


def main() -> None:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutant for mutant in MUTANTS if word in mutant.name]
    tests = sorted({path for mutant in chosen for path in mutant.tests.split()})
    if not tests or _pytest(tests, ROOT).returncode:
        sys.exit(f"no mutant is called {word}" if not tests else f"they fail as it is: {' '.join(tests)}")
    sys.exit(1 if [fault for mutant in chosen if (fault := _fault(mutant))] else 0)


def _fault(mutant: Mutant) -> str | None:
    """What is wrong: None where the tests caught the mutant."""
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        told = _mutated(mutant, Path(folder) / mutant.file) or _noticed(mutant, Path(folder))
    print(f"{mutant.name}: {told or 'caught'}", flush=True)
    return told


def _mutated(mutant: Mutant, path: Path) -> str | None:
    text = path.read_text()
    for old, new in mutant.changes:
        if text.count(old) != 1:
            return f"{text.count(old)} places in {mutant.file} have the text to replace: {old.strip()}"
        text = text.replace(old, new)
    path.write_text(text)
    return None


def _noticed(mutant: Mutant, tree: Path) -> str | None:
    done = _pytest(mutant.tests.split(), tree)
    if done.returncode == 1:  # a test failed; 2 and more: it could not even be run
        return None
    return "SURVIVED" if done.returncode == 0 else f"the tests do not run: {done.stdout[-500:]}{done.stderr[-500:]}"


def _pytest(tests: list[str], tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
