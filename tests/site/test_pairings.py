"""The figure of pairings on its page: the reader chooses a pairing, and changes it by hand."""

import pytest

PAGE = "book/07_straighter"


@pytest.fixture
def figure(visit):
    return visit(PAGE).figure(0)


def test_a_better_pairing_is_straighter_and_a_worse_one_is_not(figure):
    found = {}
    for label, key in (
        ("Independent", "independent"),
        ("Optimal transport", "ot"),
        ("Crossing", "crossing"),
    ):
        figure.get(label).check()
        found[key] = figure.state(f"s.pairing === '{key}'")
    for number in ("cost", "crossings", "straightness", "euler"):
        ot, independent, crossing = (
            found[key][number] for key in ("ot", "independent", "crossing")
        )
        assert ot < independent < crossing, number
    assert found["ot"]["straightness"] < 0.1 * found["independent"]["straightness"]


def test_two_partners_are_exchanged_by_hand(figure):
    before = figure.state()
    panel = figure.frame.locator(".fm-panel").bounding_box()
    noise, data = before["pixels"]
    goal = before["partners"][0]  # the partner of noise point 0 is given to noise point 1
    (x, y), (to_x, to_y) = noise[1], data[goal]
    mouse = figure.page.mouse
    mouse.move(panel["x"] + x, panel["y"] + y)
    mouse.down()
    mouse.move(panel["x"] + (x + to_x) / 2, panel["y"] + (y + to_y) / 2, steps=4)
    mouse.move(panel["x"] + to_x, panel["y"] + to_y, steps=4)
    mouse.up()
    after = figure.state("s.pairing === 'own'")
    first, second, *rest = before["partners"]
    assert after["partners"] == [second, first, *rest]
    assert after["cost"] != before["cost"] and after["straightness"] != before["straightness"]
