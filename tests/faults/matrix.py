"""The fault matrix: which fault, which tests, which rule. Tests are named from `tests/` on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One fault."""

    number: str
    fault: str
    judged: tuple[str, ...]
    """Tests that end with the history checker's verdict."""
    also: tuple[str, ...] = ()
    """Tests that show more of it by other means."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, or a known pitfall, and the tests that fail when it is broken."""

    name: str
    here: str
    tests: tuple[str, ...]


SPOOL: Final = "unit/telemetry/test_spool.py"
LINK: Final = "integration/telemetry/test_control_link.py"
FILE: Final = "conformance/store/test_sqlite_file.py"
OUTAGES: Final = "conformance/store/test_postgres_outages.py"
DATABASE: Final = "conformance/store/test_postgres_database.py"
NEIGHBOURS: Final = "conformance/store/test_postgres_neighbours.py"
PROCESS: Final = "integration/control/test_process.py"

ROWS: Final = (
    Row(
        "F1",
        "the proxy is killed at random moments",
        (
            "faults/test_proxy_crash.py::test_f1_proxy_killed_at_random_moments",
            "faults/test_worker_crash.py::test_f1_a_proxy_with_workers_killed_at_random_moments",
            "faults/test_worker_crash.py::test_f1_a_proxy_with_workers_killed_while_it_numbers",
            "faults/test_worker_crash.py::test_f1_the_new_process_of_a_handover_is_killed",
        ),
        (
            "unit/telemetry/test_waiting_mark.py::test_records_in_the_ring_of_a_killed_process_are_declared",
            "property/telemetry/test_source_model.py",
        ),
    ),
    Row(
        "F2",
        "the control plane is killed at system calls of ingest and policies",
        ("faults/test_store_crash.py::test_f2_killed_at_every_system_call",),
        ("conformance/store/test_kill_points.py::test_killed_at_a_system_call",),
    ),
    Row(
        "F3",
        "power cut",
        ("conformance/store/test_power_cut.py::test_acknowledged_batches_outlive_a_power_cut",),
        (
            "conformance/store/test_power_cut.py::test_the_simulated_disk_forgets",
            f"{SPOOL}::test_power_cut_never_gives_a_number_twice",
            f"{SPOOL}::test_torn_tail_is_cut",
        ),
    ),
    Row(
        "F4",
        "the control plane's disk is full",
        ("faults/test_disks.py::test_f4_disk_of_the_control_plane_is_full",),
        (f"{PROCESS}::test_full_disk_stops_acknowledgements_and_resumes",),
    ),
    Row(
        "F5",
        "the proxy's disk is full, or its file size limited",
        ("faults/test_disks.py::test_f5_disk_of_the_proxy_is_full",),
        (f"{SPOOL}::test_disk_that_takes_nothing_costs_counted_events",),
    ),
    Row(
        "F6",
        "reads, writes and syncs fail",
        (
            "faults/test_store_crash.py::test_f6_failed_sync_is_final",
            "faults/test_store_crash.py::test_f6_errors_of_reading_and_writing",
            "faults/test_disks.py::test_f6_spool_whose_sync_fails",
        ),
        ("conformance/store/test_kill_points.py::test_failed_sync_is_never_followed_by_an_acknowledgement",),
    ),
    Row(
        "F7",
        "the disk is read-only, the data directory or the spool is deleted",
        ("faults/test_disks.py::test_f7_read_only_and_gone",),
        (f"{FILE}::test_deleted_or_replaced_file_is_noticed_before_the_next_answer",),
    ),
    Row(
        "F8",
        "flipped bits, cut off, zeros at the end, files in each other's place",
        (
            "faults/test_damage.py::test_f8_damaged_spools",
            "faults/test_damage.py::test_f8_lost_marks",
            "faults/test_damage.py::test_f8_damaged_policies",
        ),
        (
            f"{SPOOL}::test_damage_in_the_middle_costs_one_entry",
            "unit/telemetry/test_spool_adoption.py::test_what_a_spool_without_its_mark_had_lost_is_declared",
            "unit/telemetry/test_last_good.py::test_every_changed_byte_is_noticed",
            f"{FILE}::test_files_that_are_not_ours_are_refused",
        ),
    ),
    Row(
        "F9",
        "no control plane at the start, one that flaps or freezes",
        ("faults/test_network.py::test_f9_no_control_plane_at_the_start_then_one_that_flaps",),
        ("unit/telemetry/test_link_state.py::test_first_retry_is_quick_and_later_ones_grow_to_the_limit",),
    ),
    Row(
        "F10, F11",
        "slow, narrow, sliced, cut, reset, black-holed and one-way networks between proxy and control plane",
        (
            "faults/test_network.py::test_f10_f11_bad_networks",
            "faults/test_network.py::test_f10_a_black_hole_is_found",
        ),
    ),
    Row(
        "F16",
        "workers are killed at random moments",
        ("faults/test_worker_crash.py::test_f16_workers_killed_at_random_moments",),
        (
            "unit/telemetry/test_source_mark.py::test_both_sides_count_in_one_page_and_the_lock_is_held_by_either",
        ),
    ),
    Row("F20", "wall clocks jump", ("faults/test_clocks.py::test_f20_clocks_jump",)),
    Row(
        "F23",
        "bad policies",
        ("faults/test_policies.py::test_f23_bad_policies",),
        (
            "integration/control/test_streams.py::test_refused_content_is_never_sent_again_and_leaves_one_event",
        ),
    ),
    Row(
        "F24",
        "policies that change all the time, under open streams",
        ("faults/test_policies.py::test_f24_policies_that_change_all_the_time",),
    ),
    Row(
        "F25",
        "the control plane starts again with a thousand proxies",
        ("faults/test_fleet.py::test_f25_restart_with_a_thousand_proxies",),
    ),
    Row(
        "F26",
        "batches twice, in disorder, a day late; acknowledgements lost",
        (
            "faults/test_fleet.py::test_f26_repeated_reordered_and_replayed_batches",
            "faults/test_fleet.py::test_f26_lost_acknowledgements",
        ),
        (
            "integration/control/test_streams.py::test_replay_after_deletion_does_not_bring_events_back",
            "property/control/test_sequences_model.py",
        ),
    ),
    Row(
        "F27",
        "two control planes on one store",
        (
            "faults/test_postgres.py::test_f27_two_control_planes_on_one_file",
            "faults/test_postgres.py::test_f27_two_control_planes_on_one_database",
        ),
        (f"{NEIGHBOURS}::test_changes_at_both_are_serialised", f"{NEIGHBOURS}::test_one_leads"),
    ),
    Row(
        "F28",
        "PostgreSQL killed, away, locked, cut off in the middle of a COMMIT",
        ("faults/test_postgres.py::test_f28_the_database_fails",),
        (
            f"{OUTAGES}::test_connection_lost_during_a_commit",
            f"{OUTAGES}::test_backends_that_are_ended_are_replaced",
            f"{DATABASE}::test_lock_of_another_control_plane_is_not_waited_for_for_ever",
        ),
    ),
    Row(
        "F29",
        "killed in a migration; an older version meets a newer store",
        (
            "faults/test_migrations.py::test_f29_killed_in_a_migration",
            "faults/test_migrations.py::test_f29_an_older_version_refuses_a_newer_store",
        ),
        (
            f"{FILE}::test_crash_in_a_migration_leaves_all_or_nothing",
            f"{DATABASE}::test_crash_in_a_migration_leaves_all_or_nothing",
            f"{OUTAGES}::test_schema_that_a_newer_control_plane_migrated_ends_the_older_one",
        ),
    ),
    Row(
        "F30",
        "a copy under writes, a store put back to it, a new store",
        (
            "faults/test_restore.py::test_f30_copy_under_writes_and_restore_to_an_older_point",
            "faults/test_restore.py::test_f30_idle_proxies_are_asked_at_once",
            "faults/test_restore.py::test_f30_a_new_store_goes_on_above_what_proxies_have",
        ),
        ("integration/control/test_restored.py",),
    ),
    Row(
        "F31",
        "poison, huge and strange events, very many tiny ones",
        ("faults/test_fleet.py::test_f31_events_that_nobody_can_store",),
        (f"{LINK}::test_an_event_that_breaks_the_stream_is_isolated_and_set_aside",),
    ),
    Row(
        "Q10",
        "two machines from one image: one name, copies of one spool",
        ("faults/test_fleet.py::test_q10_a_cloned_proxy_loses_no_event",),
        ("conformance/store/test_port.py::test_copies_of_one_spool_lose_nothing",),
    ),
)

RULES: Final = (
    Rule(
        "Q1 acknowledged means durable",
        "after COMMIT with `synchronous=FULL`, in groups",
        (
            "conformance/store/test_power_cut.py::test_acknowledged_batches_outlive_a_power_cut",
            f"{FILE}::test_settings_are_those_that_durability_needs",
            f"{DATABASE}::test_server_that_may_lose_what_it_acknowledged_is_named",
        ),
    ),
    Rule(
        "Q2 sent at least once, stored exactly once",
        "ranges of numbers by proxy and spool, kept in the same transaction",
        ("property/control/test_sequences_model.py", "faults/test_fleet.py::test_f26_lost_acknowledgements"),
    ),
    Rule(
        "Q3 numbers are given once",
        "reserved ahead in the mark",
        (
            f"{SPOOL}::test_power_cut_never_gives_a_number_twice",
            f"{SPOOL}::test_lost_mark_begins_a_new_identity_and_keeps_the_events",
        ),
    ),
    Rule(
        "Q4 segments with checksums, torn tails cut",
        "the position is derived",
        (f"{SPOOL}::test_torn_tail_is_cut", "property/telemetry/test_spool_model.py"),
    ),
    Rule(
        "Q5 bounded, and what is dropped is declared",
        "gaps with reasons; what waits without a number is counted outside the process",
        (
            f"{SPOOL}::test_full_spool_drops_its_oldest_segment_and_says_so",
            f"{LINK}::test_overflow_is_declared_and_the_sum_is_exact",
            "faults/test_proxy_crash.py::test_f1_proxy_killed_at_random_moments",
            "faults/test_worker_crash.py::test_f16_workers_killed_at_random_moments",
        ),
    ),
    Rule(
        "Q6 calls never wait for the spool",
        "a bounded ring, a thread for the disk",
        ("faults/test_disks.py::test_f5_disk_of_the_proxy_is_full",),
    ),
    Rule(
        "Q7 poison is isolated",
        "refused by its number; single events after three broken streams, set aside after five more",
        (
            "unit/telemetry/test_link_state.py::test_batch_that_breaks_the_stream_is_isolated_then_set_aside",
            f"{LINK}::test_refused_events_go_to_the_dead_letter_file",
            "faults/test_fleet.py::test_f31_events_that_nobody_can_store",
        ),
    ),
    Rule(
        "Q8 order is by number, time is a label",
        "clocks jump and nothing is lost",
        ("faults/test_clocks.py::test_f20_clocks_jump",),
    ),
    Rule(
        "Q9 full jitter, one batch under way",
        "at most 5 s while events wait; the control plane may ask for more",
        (
            "unit/telemetry/test_link_state.py::test_jitter_is_full_but_never_hammers",
            "unit/telemetry/test_link_state.py::test_one_batch_is_in_flight_at_a_time",
            "unit/telemetry/test_link_state.py::test_a_control_plane_may_ask_to_wait",
        ),
    ),
    Rule(
        "Q10 copies of a machine are noticed",
        "by numbers that come with other events; a name connects once",
        (
            "faults/test_fleet.py::test_q10_a_cloned_proxy_loses_no_event",
            "integration/control/test_streams.py::test_new_connection_of_a_node_takes_the_place_of_the_old",
        ),
    ),
    Rule(
        "Q11 older and newer versions",
        "a newer store is refused; unknown fields of messages are kept by protobuf",
        ("faults/test_migrations.py::test_f29_an_older_version_refuses_a_newer_store",),
    ),
    Rule(
        "Q12 a failed sync is final",
        "no acknowledgement after it, nothing tried on that file again",
        (
            "faults/test_store_crash.py::test_f6_failed_sync_is_final",
            f"{SPOOL}::test_failed_sync_begins_a_new_segment_and_is_never_repeated",
        ),
    ),
    Rule(
        "Q13 changes expect a version and leave a trace",
        "one transaction with the audit entry",
        (
            "conformance/store/test_records.py::test_versions",
            "integration/control/test_access.py::test_changes_are_on_record_and_looking_is_not",
        ),
    ),
    Rule(
        "SQLite: the WAL-reset defect",
        "one connection writes and checkpoints; readers cannot",
        (f"{FILE}::test_settings_are_those_that_durability_needs",),
    ),
    Rule(
        "SQLite: a second writer",
        "refused by a lock, with the process's number",
        (
            f"{FILE}::test_second_store_on_one_directory_is_refused",
            f"{PROCESS}::test_second_control_plane_on_one_directory_is_refused",
        ),
    ),
    Rule(
        "SQLite: a read that becomes a write is refused at once",
        "every write begins IMMEDIATE, on the one connection",
        ("conformance/store/test_port.py::test_concurrent_changes_are_serialised",),
    ),
    Rule(
        "SQLite: readers that stay keep the log growing",
        "given up after 5 s; the log is truncated",
        (
            f"{FILE}::test_long_reader_lets_the_log_grow_only_while_it_reads",
            f"{FILE}::test_slow_query_gives_up",
        ),
    ),
    Rule(
        "SQLite: a full disk",
        "refused with a hint when to try again, found out by itself when there is room",
        (
            f"{FILE}::test_full_store_refuses_changes_keeps_what_it_has_and_resumes",
            f"{FILE}::test_full_store_finds_out_by_itself_that_there_is_room",
            "faults/test_disks.py::test_f4_disk_of_the_control_plane_is_full",
        ),
    ),
    Rule(
        "SQLite: I/O errors",
        "the process ends; the next one checks the file",
        ("conformance/store/test_kill_points.py::test_read_error_is_told_and_loses_nothing",),
    ),
    Rule(
        "SQLite: corruption",
        "the file is checked; a damaged one is refused",
        (
            f"{FILE}::test_files_that_are_not_ours_are_refused",
            f"{FILE}::test_large_file_is_checked_while_it_is_in_use",
        ),
    ),
    Rule(
        "SQLite: files deleted, moved or replaced while in use",
        "looked for after every commit",
        (f"{FILE}::test_deleted_or_replaced_file_is_noticed_before_the_next_answer",),
    ),
    Rule(
        "SQLite: who may read the file, and what it may run",
        "private, `trusted_schema` off",
        (
            f"{FILE}::test_settings_are_those_that_durability_needs",
            f"{PROCESS}::test_sigterm_drains_and_stores_what_was_sent",
        ),
    ),
    Rule(
        "SQLite: growth",
        "room is given back as rows are deleted",
        (f"{FILE}::test_deleting_gives_room_back",),
    ),
    Rule(
        "SQLite: copies",
        "consistent under writes, checked before they count",
        (
            "conformance/store/test_sqlite_copies.py::test_copy_under_writes_is_consistent_and_restores",
            "conformance/store/test_sqlite_copies.py::test_copies_that_will_not_do_are_refused_and_change_nothing",
        ),
    ),
    Rule(
        "PostgreSQL: the same promises",
        "one conformance suite; outcomes of lost COMMITs are asked for, never guessed",
        (
            "conformance/store/test_port.py",
            f"{OUTAGES}::test_outcome_that_nobody_can_tell_is_not_guessed",
            f"{NEIGHBOURS}::test_whoever_was_deaf_is_told_that_anything_may_have_changed",
        ),
    ),
)
