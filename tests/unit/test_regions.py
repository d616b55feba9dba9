"""Lists of bad pixels: IRAF's and DS9's lines, and what is refused."""

import pytest

from tapewatch.errors import ParameterError
from tapewatch.headers.regions import Box, parse_regions


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("10 12 5 6", Box(10, 12, 5, 6)),
        ("10 7", Box(10, 10, 7, 7)),
        ("  10,12,5,6  # a column", Box(10, 12, 5, 6)),
        ("box(10,20,3,5)", Box(9, 11, 18, 22)),
        ("box(10.5,20.5,4,2,0)", Box(9, 12, 20, 21)),
        ("image;box(10, 20, 1, 1) # color=red", Box(10, 10, 20, 20)),
        ("point(4,5) # point=x", Box(4, 4, 5, 5)),
        ("Physical; Point(4.2,5.4)", Box(4, 4, 5, 5)),
    ],
)
def test_a_line_is_a_box_of_pixels(line: str, box: Box) -> None:
    assert parse_regions(line) == (box,)


def test_headings_and_blank_lines_are_passed_over() -> None:
    text = "# Region file format: DS9\nglobal color=green\nimage\n\nbox(1,1,1,1)\n2 2\n"
    assert parse_regions(text) == (Box(1, 1, 1, 1), Box(2, 2, 2, 2))
    assert parse_regions("") == ()


@pytest.mark.parametrize(
    "line",
    ["1 2 3", "5 3 1 1", "0 1", "1.5 2", "fk5", "box(1,2,3)", "box(5,5,2,2,45)", "circle(5,5,2)",
     "point(a,b)", "point(1,2,3)", "box(1.2.3,1,1,1)", "-1 2", "WORKDIR night"],
)  # fmt: skip
def test_another_line_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(ParameterError, match="line 2 of the list is ") as caught:
        parse_regions(f"1 1\n{line}\n")
    assert "x1 x2 y1 y2" in str(caught.value)
