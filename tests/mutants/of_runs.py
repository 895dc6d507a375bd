"""Breaks of runs and their datasets: nights, retries, revisions, what is pushed and exported."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OF_RUNS = (
    Mutant(
        "8: an empty dataset replaces a good one",
        "flows/runs/lineage.py",
        (("if not (written.rows or self.plan.allow_empty):", "if False:"),),
        "tests/flows/runs/test_no_rows.py",
    ),
    Mutant(
        "5: prompts that differ in case alone stand in two splits",
        "tasks/publish/splits.py",
        (("normalised(words).encode", "words.encode"),),
        "tests/publish/test_splits.py::test_equal_prompts_are_in_one_split_and_others_do_not_move_them",
    ),
    Mutant(
        "8: two publications are written at once",
        "tasks/publish/revisions.py",
        (("        fcntl.flock(lock, fcntl.LOCK_EX)\n        shutil", "        shutil"),),
        "tests/publish/test_revisions.py::test_one_publication_at_a_time",
    ),
    Mutant(
        "8: what a killed publication has left is published",
        "tasks/publish/revisions.py",
        (
            (
                "        shutil.rmtree(draft, ignore_errors=True)\n        draft.mkdir()",
                "        draft.mkdir(exist_ok=True)",
            ),
        ),
        "tests/publish/test_revisions.py::test_what_a_killed_publication_has_left_is_in_no_other",
    ),
    Mutant(
        "8: a file of a split stays that there is no more",
        "tasks/publish/revisions.py",
        (
            (
                "        if file.relative_to(out) not in new:\n            file.unlink()",
                "        if False:\n            file.unlink()",
            ),
        ),
        "tests/publish/test_splits.py::test_other_shares_move_the_rows_that_are_there_and_make_a_revision",
    ),
    Mutant(
        "8: the card names files that are not there yet",
        "tasks/publish/revisions.py",
        (
            (
                "    write_atomically(out / HISTORY, history_text([*lines, line]))\n    _replace(draft / CARD, out / CARD)",
                "    _replace(draft / CARD, out / CARD)\n    write_atomically(out / HISTORY, history_text([*lines, line]))",
            ),
        ),
        "tests/publish/test_revisions.py::test_a_version_that_was_cut_short_is_no_version_when_the_rows_go_back",
    ),
    Mutant(
        "8: other files of the same rows take the place of a revision's",
        "tasks/publish/dataset.py",
        (("    if changes is None and before is not None and not _same_files(draft, before):", "    if False:"),),
        "tests/publish/test_export.py::test_the_same_rows_in_other_formats_are_a_revision_of_their_own",
    ),
    Mutant(
        "8: what others have published at a URL is overwritten",
        "tasks/publish/mirror.py",
        (("    if lines[: len(there)] != there:", "    if False:"),),
        "tests/publish/test_mirror.py::test_two_that_publish_at_one_url_do_not_overwrite_each_other",
    ),
    Mutant(
        "8: what was published and not sent is thrown away",
        "tasks/publish/mirror.py",
        (("history(folder)[: len(there)] == there:", "history(folder) == there:"),),
        "tests/publish/test_mirror.py::test_what_was_published_here_and_not_sent_stays_and_goes_with_the_next_run",
    ),
    Mutant(
        "8: a first publication at a URL that was cut short is in the way",
        "tasks/publish/mirror.py",
        (("    if there and not is_begun:", "    if there:"),),
        "tests/publish/test_mirror.py::test_a_first_publication_that_was_cut_short_is_gone_on_with",
    ),
    Mutant(
        "8: an export that was cut short is in the way",
        "tasks/publish/export.py",
        (('    places.write(f"{base}/{CARD}", _UNFINISHED.encode())', '    places.remove(f"{base}/{CARD}")'),),
        "tests/publish/test_export.py::test_an_export_to_a_url_that_was_cut_short_is_made_by_the_same_command",
    ),
    Mutant(
        "2: a seed that was refused is taken again",
        "tasks/publish/processed_seeds.py",
        (('    if (refused := table.read_beside("rejects")) is not None:', "    if (refused := None) is not None:"),),
        "tests/publish/test_processed_seeds.py::test_a_seed_that_was_refused_is_done_with_too",
    ),
    Mutant(
        "1: a seed of which a row is pending is done with",
        "tasks/publish/processed_seeds.py",
        (("return _roots(pending, lines) | (", "return set() | ("),),
        "tests/publish/test_processed_seeds.py::test_a_seed_is_done_with_when_all_that_came_of_it_is",
    ),
    Mutant(
        "3: a value of another record is taken for a seed's own",
        "flows/runs/candidates.py",
        (('own.select("row_id", SOURCE_COLUMNS)', "own.select(SOURCE_COLUMNS)"),),
        "tests/seeds/test_own_columns.py::test_a_value_that_moves_to_another_record_goes_with_that_one",
    ),
    Mutant(
        "4: of several errors another one than the cause is told",
        "flows/runs/verdict.py",
        (("for kind in (ConfigError, Interrupted, BaseException):", "for kind in (BaseException,):"),),
        "tests/flows/runs/test_refused_runs.py::test_of_several_errors_the_one_that_brought_about_the_others_is_told",
    ),
    Mutant(
        "2: a retry may ask no further than the run that it heals",
        "flows/runs/kept/epochs.py",
        (('lines.with_columns(pl.col("epoch") + pl.col("failed").cast(pl.Int64))', "lines"),),
        "tests/flows/runs/test_healing.py::test_what_failed_on_the_first_day_is_healed_with_a_request_each_and_in_its_place",
    ),
    Mutant(
        "8: a retry replaces the rows of other runs",
        "flows/runs/lineage.py",
        (("adds = bool(holds - {retried})", "adds = False"),),
        "tests/flows/runs/test_removed_tables.py::test_rows_added_since_stay_when_a_run_is_healed_without_its_tables",
    ),
    Mutant(
        "2: more candidates are taken than allowed",
        "flows/runs/plan.py",
        (
            (
                "        if wanted is None or self.takes_all_at_once:\n            return left",
                "        if wanted is None or self.takes_all_at_once:\n            return self.most_candidates",
            ),
        ),
        "tests/flows/runs/test_exact_rows.py::test_no_more_candidates_are_taken_than_allowed_where_all_are_taken_at_once",
    ),
    Mutant(
        "2: an estimate asks what the run does not ask",
        "flows/estimate.py",
        (("candidates.take(plan.next_wave(0, 0))", "candidates.take(None)"),),
        "tests/flows/test_estimate.py::test_what_was_sampled_is_a_part_of_the_run",
    ),
    Mutant(
        "2: a process publishes whose run was taken over",
        "flows/runs/run.py",
        (("            self.context.confirm()\n", "            pass\n"),),
        "tests/flows/runs/test_lineage.py::test_a_run_that_another_process_has_taken_over_publishes_nothing",
    ),
    Mutant(
        "the Hub's token is told",
        "tasks/publish/hub/repository.py",
        (('return line.replace(self._token, "[token]")[:MOST_SAID]', "return line[:MOST_SAID]"),),
        "tests/publish/hub/test_push.py::test_the_token_is_in_no_error",
    ),
    Mutant(
        "2: a retry goes on from one that is not the latest",
        "flows/runs/manifests.py",
        (("key=lambda p: p.stat().st_mtime", "key=lambda p: p.parent.name"),),
        "tests/flows/runs/test_healing.py::test_the_latest_retry_is_found_by_when_runs_ended_and_not_by_their_names",
    ),
    Mutant(
        "2: a night without seeds begins with rows that there are",
        "flows/runs/lineage.py",
        (("return self.last.blank_rows if self.last and self.adds else 0", "return 0"),),
        "tests/flows/runs/test_lineage.py::test_a_night_without_seeds_goes_on_with_the_running_index",
    ),
    Mutant(
        "8: what a killed push has left goes to the Hub",
        "tasks/publish/hub/contents.py",
        (("        _empty(links)\n", ""),),
        "tests/publish/hub/test_push.py::test_what_a_killed_push_has_left_does_not_go_there",
    ),
    Mutant(
        "8: a revision of which a URL has some files is taken for whole",
        "tasks/publish/mirror.py",
        (("if earlier.name not in whole:", "if earlier.name not in have:"),),
        "tests/publish/test_mirror.py::test_what_was_published_here_and_not_sent_stays_and_goes_with_the_next_run",
    ),
    Mutant(
        "8: what another publication has left at a URL joins a revision",
        "tasks/publish/mirror.py",
        (
            (
                '            places.remove(f"{place}/{name}")\n    for file in beside',
                "            pass\n    for file in beside",
            ),
        ),
        "tests/publish/test_mirror.py::test_what_a_publication_of_another_has_left_there_is_in_no_revision",
    ),
    Mutant(
        "8: files are pushed while a run replaces them",
        "tasks/publish/hub/contents.py",
        (("        fcntl.flock(lock, fcntl.LOCK_EX)\n        yield\n", "        yield\n"),),
        "tests/publish/hub/test_push.py::test_one_push_at_a_time_and_none_of_files_that_a_run_is_replacing",
    ),
    Mutant(
        "1: prompts that call other tools are taken for one",
        "tasks/publish/cross_run_dedup.py",
        (
            (
                'return words + nfc(canonical(turn["tool_calls"]).decode()) if turn.get("tool_calls") else words',
                "return words",
            ),
        ),
        "tests/publish/test_cross_run_dedup.py::test_who_says_the_words_and_which_tools_are_called_tell_prompts_apart",
    ),
    Mutant(
        "3: a shard of seeds is taken for another one of the same seeds",
        "flows/runs/candidates.py",
        (("digest(*ids, *map(int, new), *rows.columns", "digest(*ids, *rows.columns"),),
        "tests/flows/runs/test_lineage.py::test_a_repeated_seed_is_refused_whatever_an_earlier_run_has_made_of_the_same_shard",
    ),
    Mutant(
        "8: an export of no row replaces an earlier one",
        "tasks/publish/export.py",
        (("        if not sum(rows.values()):\n", "        if False:\n"),),
        "tests/publish/test_export.py::test_an_export_of_which_the_format_can_say_nothing_leaves_an_earlier_one",
    ),
    Mutant(
        "5: a run that was killed once it had published has rows that nobody asks for again",
        "flows/runs/manifests.py",
        (("    return published or past", "    return published and past"),),
        "tests/flows/runs/test_healing.py::test_a_run_that_was_killed_as_it_published_is_healed_like_any_other",
    ),
)
