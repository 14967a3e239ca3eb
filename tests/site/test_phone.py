"""Every page of the built book on a phone in the dark: whole, legible, without barriers."""

import pytest

import book


@pytest.mark.parametrize("path", book.pages())
def test_a_page_on_a_phone_in_the_dark(visit, phone, path):
    visited = visit(path, color_scheme="dark", **phone)
    visited.see_all()
    page = visited.page
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for frame in page.frames[1:]:
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert frame.evaluate("document.querySelector('.fm').scrollHeight <= innerHeight")
        assert frame.evaluate("document.querySelector('.fm').dataset.theme") == "dark"
    assert visited.barriers() == []
