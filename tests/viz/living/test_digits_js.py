"""What a figure makes of a worker's answers: orders, journeys, verdicts. In Node, without one."""

import base64
from pathlib import Path

import numpy as np
import pytest

RUNNER = (Path(__file__).parent / "digits_runner.mjs").read_text("utf-8")
NOISES = [[0.5, -1.0], [0.25, 2.0], [-0.75, 0.0]]  # three digits of one row and two pixels
CHOICE = {"tableau": None, "steps": 2, "label": 3, "guidance": 1}
# E[x1 | xt] = xt + (1 - t) v on the path of optimal transport; a table of it at five times
SPEC = {
    "shape": [3, 1, 2],
    "live": {"worker": "", "guess": [[1.0, 1 - k / 4] for k in range(5)]},
}


@pytest.fixture(scope="session")
def answers(in_node):
    """answers(*steps): what each of them gave."""
    run = in_node("net/digits.js", RUNNER)
    halves = np.array(NOISES, np.float16).tobytes()
    parts = [len(part).to_bytes(8, "little") + part for part in (halves, b"weights")]
    file = base64.b64encode(b"".join(parts)).decode()

    def play(*steps):
        said = run({"spec": SPEC, "file": file, "steps": steps})
        assert said["failed"] == []
        return said["answers"]

    return play


def way(image, x, *, v=(1.0, -2.0), digit=3, readable=0.9):
    """The answers about one digit in two steps, from x along v."""
    for k in (0, 1, 2):
        said = {"image": image, "t": k / 2, "nfe": k, "milliseconds": 1.0, "verdict": None}
        said |= {"x": [z + k / 2 * u for z, u in zip(x, v, strict=True)], "v": list(v)}
        if k == 2:
            said |= {"v": None, "verdict": {"digit": digit, "readable": readable}}
        yield ["say", said]


def followed(**verdicts):
    """All three on their way, and there."""
    lines = [line for i, x in enumerate(NOISES) for line in way(i, x, **verdicts)]
    return [["draw", 0], ["follow", CHOICE], *lines]


def test_what_is_shown_is_where_it_is_at_a_time(answers):
    asked = [["pixels", 0, "way", t] for t in (0, 0.25, 0.5, 0.875, 1)]
    asked += [["pixels", 0, "guess", 0.6], ["pixels", 0, "end", 0.1]]
    *before, guess, end = answers(*followed(), *asked)[-7:]
    assert np.allclose(before, [[0.5 + t, -1 - 2 * t] for t in (0, 0.25, 0.5, 0.875, 1)])
    assert np.allclose([guess, end], [[1.5, -3.0]] * 2)


def test_nothing_is_known_of_a_digit_before_the_first_answer(answers):
    steps = [["draw", 0], ["follow", CHOICE], ["pixels", 1, "way", 0.5], ["judgement"], ["waiting"]]
    assert answers(*steps)[-3:] == [None, None, [0, 1, 2]]


def test_the_judge_counts_what_it_can_read_and_what_was_asked_for(answers):
    def counted(label, *verdicts):
        lines = [["draw", 0], ["follow", CHOICE | {"label": label}]]
        for i, (digit, readable) in enumerate(verdicts):
            lines += way(i, NOISES[i], digit=digit, readable=readable)
        return answers(*lines, ["judgement"])[-1]

    assert counted(3, (3, 0.6), (3, 0.4), (5, 0.9)) == {"readable": 2, "asked": 1}
    assert counted(3, (3, 0.6), (3, 0.7), (3, 0.9)) == {"readable": 3, "asked": 3}
    assert counted(None, (3, 0.6), (3, 0.4), (5, 0.2)) == {"readable": 1, "asked": None}


def test_a_new_patch_comes_first_and_what_was_waiting_after_it(answers):
    steps = [["draw", 0], ["follow", CHOICE], *way(0, NOISES[0])]
    *_, waiting, orders = answers(*steps, ["repaint", 2, 0, 0], ["waiting"], ["orders"])
    assert waiting == [2, 1]
    assert [len(order["noises"]) for order in orders] == [3, 2]
    assert orders[0]["noises"] == NOISES and orders[1]["noises"][1] == NOISES[1]
    assert orders[1]["noises"][0] != NOISES[2] and orders[1]["run"] != orders[0]["run"]


def test_what_was_there_before_two_strokes_of_the_brush_is_compared_with(answers):
    strokes = [["repaint", 0, 0, 0], *way(0, [9.0, 9.0]), ["repaint", 0, 0, 0], *way(0, [5.0, 5.0])]
    *_, before, now = answers(
        *followed(), *strokes, ["pixels", 0, "way", 0, "before"], ["pixels", 0, "way", 0]
    )
    assert before == NOISES[0] and now == [5.0, 5.0]


def test_a_new_journey_is_shown_once_it_has_come_as_far_as_the_reader_looks(answers):
    first, half, *_ = way(0, [7.0, 7.0])
    look = ["pixels", 0, "way", 0.5]
    again = [["share", 0.5], ["follow", CHOICE], first, look, half, look]
    *_, early, _, late = answers(*followed(), *again)
    assert early == [1.0, -2.0] and late == [7.5, 6.0]


def test_answers_of_a_run_that_was_overtaken_are_not_heard(answers):
    late = next(way(1, [7.0, 7.0]))[1] | {"run": 1}
    *_, now = answers(*followed(), ["follow", CHOICE], ["say", late], ["pixels", 1, "way", 0])
    assert now == NOISES[1]


def test_another_choice_ends_the_comparison_with_what_was_before(answers):
    steps = [["repaint", 0, 0, 0], ["pixels", 0, "end", 0, "before"], ["follow", CHOICE]]
    *_, kept, _, gone = answers(*followed(), *steps, ["pixels", 0, "end", 0, "before"])
    assert kept == [1.5, -3.0] and gone is None


def test_seeds_draw_new_noise_and_the_first_is_that_of_the_figure(answers):
    steps = [line for seed in (1, 2, 1, 0) for line in (["draw", seed], ["follow", CHOICE])]
    noises = [order["noises"] for order in answers(*steps, ["orders"])[-1]]
    assert noises[0] == noises[2] != noises[1] and noises[3] == NOISES
