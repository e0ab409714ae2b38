"""What the page says besides its tables, and which pictures it has room for."""

from reports.page import summary
from reports.page.page import Picture


def test_the_size_of_a_picture_is_that_in_the_page():
    """9,000 bytes are 12,000 in base64."""
    assert Picture("b", "t", "a", b"x" * 9000, "png").size == 12_000 + 2 + 1000


def test_pictures_that_do_not_fit_a_page_are_named():
    made = [Picture(name, "t", "a", b"x" * size, "png") for name, size in (("b", 9000), ("a", 90))]
    assert summary.fitting(made, 100_000) == (made, [])
    kept, (sentence,) = summary.fitting(made, 5000)
    assert [picture.name for picture in kept] == ["a"] and "no room for b:" in sentence
