# SPDX-License-Identifier: GPL-3.0-or-later
"""Events become what the panel shows of a job."""

from __future__ import annotations

import pytest

from dream_textures_addon.jobs import MAX_NOT_MADE, Job, JobBoard, JobState
from dream_textures_addon.wire import protocol

REQUEST = protocol.Request(prompt="brick", count=2)
IMAGE = protocol.Array("uint8", (1, 1, 3), b"abc")


def job(*events: protocol.Event) -> Job:
    board = JobBoard()
    board.add("a", REQUEST)
    for event in events:
        assert board.apply(event) is board.get("a")
    return board.latest or Job("none", REQUEST)


def result(index: int, name: str, seed: int = 0) -> protocol.Result:
    return protocol.Result("a", index, seed, name, {}, {}, 0.0, IMAGE)


def test_a_new_job_waits() -> None:
    assert (job().state, job().progress, job().over) == (JobState.QUEUED, 0.0, False)


def test_an_accepted_job_says_how_many_are_ahead() -> None:
    assert job(protocol.Accepted("a")).what == "Starting"
    assert job(protocol.Accepted("a", 1)).what == "Waiting for 1 other"
    assert job(protocol.Accepted("a", 2)).what == "Waiting for 2 others"


def test_loading_says_what_and_how_far() -> None:
    loading = job(protocol.Loading("a", "Loading the model", 0.25))
    assert (loading.state, loading.what) == (JobState.LOADING, "Loading the model (25%)")
    assert job(protocol.Loading("a", "Loading the model")).what == "Loading the model"


def test_progress_covers_all_images_of_the_job() -> None:
    running = job(protocol.Step("a", 1, 5, 10, IMAGE))
    assert (running.state, running.progress) == (JobState.RUNNING, 0.75)
    assert running.what == "Image 2 of 2, step 5 of 10"
    assert running.preview is IMAGE


def test_images_that_are_made_together_are_named_and_counted_together() -> None:
    board = JobBoard()
    eight = board.add("a", protocol.Request(prompt="brick", count=8))
    board.apply(protocol.Step("a", 0, 3, 12, IMAGE, 4))
    assert (eight.what, eight.progress) == ("Images 1 to 4 of 8, step 3 of 12", 1 / 8)
    board.apply(protocol.Step("a", 4, 12, 12, IMAGE, 4))
    assert (eight.what, eight.progress) == ("Images 5 to 8 of 8, step 12 of 12", 1.0)
    board.apply(protocol.Step("a", 4, 6, 12, IMAGE, 2))
    assert (eight.what, eight.progress) == ("Images 5 to 6 of 8, step 6 of 12", 5 / 8)


@pytest.mark.parametrize("together", [-3, 0, 10**6])
def test_progress_stays_a_fraction_whatever_the_generator_says_is_made_together(together: int) -> None:
    assert 0 <= job(protocol.Step("a", 1, 5, 10, None, together)).progress <= 1


def test_a_step_without_a_preview_keeps_the_last_one() -> None:
    assert job(protocol.Step("a", 0, 1, 10, IMAGE), protocol.Step("a", 0, 2, 10)).preview is IMAGE


def test_progress_stays_a_fraction_whatever_the_generator_counts() -> None:
    assert job(protocol.Step("a", 9, 99, 0)).progress == 1.0


def test_results_are_found_by_image_and_map() -> None:
    done = job(
        result(1, "normal"), result(0, "basecolor"), result(1, "basecolor"), protocol.Finished("a", 2.04)
    )
    assert (done.state, done.progress, done.what) == (JobState.DONE, 1.0, "Done in 2.0 s")
    assert done.indices == [0, 1]
    assert set(done.image(1)) == {"normal", "basecolor"}


def test_a_replayed_result_takes_the_place_of_the_first() -> None:
    twice = job(result(0, "basecolor", seed=1), result(0, "normal"), result(0, "basecolor", seed=2))
    assert [(item.map, item.seed) for item in twice.results] == [("basecolor", 2), ("normal", 0)]


def test_a_replay_starts_again_from_nothing() -> None:
    assert job(protocol.Step("a", 1, 9, 10), protocol.Accepted("a")).progress == 0.0


def test_a_failure_keeps_its_sentence_advice_and_report() -> None:
    failed = job(protocol.Failed("a", "died", "It died.", "Try less.", "Trace"))
    assert (failed.state, failed.kind, failed.failure) == (JobState.FAILED, "died", "It died.")
    assert (failed.advice, failed.traceback) == ("Try less.", "Trace")


def test_notices_are_kept_in_order() -> None:
    assert job(protocol.Notice("a", "one"), protocol.Notice("a", "two")).notices == ["one", "two"]


def test_nothing_changes_a_job_that_is_over() -> None:
    ended = job(protocol.Cancelled("a"), protocol.Finished("a", 1.0), protocol.Step("a", 0, 1, 2))
    assert (ended.state, ended.progress) == (JobState.CANCELLED, 0.0)


def test_events_of_nobody_change_nothing() -> None:
    board = JobBoard()
    assert board.apply(protocol.Devices([])) is None
    assert board.apply(protocol.Finished("stranger", 1.0)) is None
    assert (board.active, board.latest, len(board)) == (None, None, 0)


def test_the_board_knows_the_oldest_open_job_and_the_latest() -> None:
    board = JobBoard()
    first, second = board.add("1", REQUEST), board.add("2", REQUEST, target="cube")
    assert (board.active, board.latest) == (first, second)
    board.apply(protocol.Finished("1", 1.0))
    assert board.active is second
    assert second.target == "cube"


def board_of(*names: str) -> JobBoard:
    board = JobBoard()
    for name in names:
        board.add(name, REQUEST)
    return board


def names(jobs: list[Job]) -> list[str]:
    return [item.id for item in jobs]


def test_what_waits_can_be_moved_and_the_running_one_stays_first() -> None:
    board = board_of("a", "b", "c", "d")
    board.apply(protocol.Accepted("a"))
    assert names(board.waiting) == ["b", "c", "d"]
    for name, places, order in (
        ("d", -9, ["d", "b", "c"]),
        ("d", 1, ["b", "d", "c"]),
        ("b", 9, ["d", "c", "b"]),
        ("a", 2, ["d", "c", "b"]),
        ("stranger", -1, ["d", "c", "b"]),
    ):
        board.move(name, places)
        assert names(board.waiting) == order
        assert names(board.open) == ["a", *order]


def test_one_that_began_out_of_turn_is_the_active_one() -> None:
    board = board_of("a", "b")
    board.apply(protocol.Loading("b", "a model"))
    assert names(board.open) == ["b", "a"]
    assert board.active is board.get("b")


def test_a_job_that_the_generator_put_behind_others_still_waits() -> None:
    board = board_of("a", "b")
    board.apply(protocol.Accepted("b", ahead=1))
    assert names(board.waiting) == ["a", "b"]


def test_what_was_not_made_is_kept_within_limits() -> None:
    board = board_of(*(str(number) for number in range(MAX_NOT_MADE + 2)), "done", "open")
    for number in range(MAX_NOT_MADE + 2):
        board.apply(protocol.Cancelled(str(number)))
    board.apply(protocol.Finished("done", 1.0))
    assert sorted(names(board.trim())) == ["0", "1"]
    assert len(board.not_made) == MAX_NOT_MADE
    assert board.get("done") is not None
    assert board.get("open") is not None


def test_large_sources_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dream_textures_addon.jobs.MAX_SOURCE_BYTES", 2 * len(IMAGE.data))
    board = JobBoard()
    for name in "abc":
        board.add(name, REQUEST, source=IMAGE)
        board.apply(protocol.Failed(name, "died", "It died."))
    assert names(board.trim()) == ["a"]


def test_a_job_that_lets_go_keeps_what_it_would_be_made_from_again() -> None:
    failed = job(result(0, "basecolor"), protocol.Failed("a", "died", "It died."))
    failed.source = IMAGE
    failed.let_go()
    assert (failed.results, failed.source, failed.failure) == ([], IMAGE, "It died.")


def test_a_job_is_called_by_its_words_else_by_its_image() -> None:
    assert Job("a", protocol.Request(prompt="  mossy \n brick ")).title == "mossy brick"
    source = protocol.ImageRef("0" * 64, 8, 8, "wall.png")
    assert Job("a", protocol.Request(task="maps", source=source)).title == "wall.png"
