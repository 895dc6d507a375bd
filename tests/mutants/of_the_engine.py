"""Breaks of what holds for every technique: requests, leases, keys, order, accounting."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LAWS = "tests/engine/test_laws.py"
KEYS = "tests/engine/test_keys.py"
OF_THE_ENGINE = (
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
        "2: a lease is never given up",
        "tasks/ledger/leases.py",
        (("            self._released.append((key, hold.owner))\n", ""),),
        "tests/ledger/test_leases.py::test_a_request_that_came_to_nothing_is_made_by_whoever_waits_for_it",
    ),
    Mutant(
        "7: tokens that were reserved and not used are lost",
        "tasks/models/endpoint/endpoint.py",
        (("            window.settle(tokens, used)\n", ""),),
        "tests/models/endpoint/test_faults.py::"
        "test_tokens_that_a_request_reserved_and_did_not_use_are_there_for_the_next",
    ),
)
