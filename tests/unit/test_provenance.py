"""What the header of a master or product says of how it was made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import Cards, frame, master, members, only_set
from tapewatch.headers.cards import Header
from tapewatch.headers.compose import compose
from tapewatch.headers.provenance import (
    Change,
    Provenance,
    inputs_of,
    of_master,
    of_product,
    raw_name_of,
    recipe_of,
    rounded,
    statistics_cards,
    statistics_of,
)
from tapewatch.model import (
    BuildMaster,
    Frame,
    Kind,
    Master,
    MasterNoise,
    Product,
    Recipe,
    Statistics,
)

TIME = "2026-03-25T18:00:00"
BIAS = master("b" * 16)
DARK = master("d" * 16, Kind.DARK, stem="wdark80s", exptime=80.0)
FLAT = master("f" * 16, Kind.FLAT, stem="wflatR", folder="flats")
OBJECT = frame("night/m13.fits", object="M 13")
RECIPE = Recipe(BIAS.id, DARK.id, FLAT.id, 0.75, ("SCALED", "AGED"), "recipe")
RAW = {"DATE-OBS": OBJECT.date_obs, "EXPTIME": 60.0, "FILTER": "R", "OBJECT": "M 13"}


def frames_of(kind: Kind) -> tuple[Frame, ...]:
    """Three raw frames."""
    return tuple(one.frame for one in only_set(members(kind, 3)).frames)


def combined(
    made: Master,
    bias: Master | None = None,
    dark: Master | None = None,
    raw: Mapping[str, object] = RAW,
    now: str = TIME,
) -> Provenance:
    """Describe a master of three frames."""
    job = BuildMaster(made, frames_of(made.kind), bias, dark)
    return of_master(job, MasterNoise(len(job.frames)), Cards(raw), "recipe", "1.0", now)


def values(told: Provenance) -> dict[str, object]:
    """Values of the cards, without their comments."""
    return {keyword: value for keyword, (value, _) in told.cards.items()}


def product(
    raw: Mapping[str, object] = RAW, recipe: Recipe = RECIPE, masters: tuple[Master, ...] = ()
) -> Provenance:
    """Describe the product of the object frame."""
    made = Product("p" * 16, "night/wm13.fits", "r" * 64, "h" * 64, recipe)
    return of_product(OBJECT, Cards(raw), masters or (BIAS, DARK, FLAT), made, "1.0", TIME)


def test_a_master_bias() -> None:
    told = combined(BIAS)
    assert values(told) == {
        "OBJECT": "wbias",
        "EXPTIME": 0.0,
        "DATE-PRC": TIME,
        "NCOMBINE": 3,
        "BUNIT": "adu",
        "TWVERS": "1.0",
        "TWID": BIAS.id,
        "TWKIND": "bias",
        "TWRECIPE": "recipe",
        "TWCOMB": "median",
        "TWNOISE": None,
    }
    assert told.history == (
        "tapewatch 1.0: median of 3 bias frames",
        "  bias0.fits",
        "  bias1.fits",
        "  bias2.fits",
    )


def test_a_master_dark_names_its_bias() -> None:
    told = combined(DARK, BIAS)
    assert values(told) == {
        "OBJECT": "wdark80s",
        "EXPTIME": 80.0,
        "DATE-PRC": TIME,
        "NCOMBINE": 3,
        "BUNIT": "adu",
        "CALSTAT": "B",
        "TWVERS": "1.0",
        "TWID": DARK.id,
        "TWKIND": "dark",
        "TWRECIPE": "recipe",
        "TWCOMB": "median",
        "TWNOISE": None,
        "TWBIAS": BIAS.id,
    }
    assert told.history[:2] == (
        "tapewatch 1.0: median of 3 dark frames",
        f"  each less masters/wbias-{BIAS.id}.fits",
    )


def test_a_master_flat_has_no_unit_and_says_how_it_was_normalised() -> None:
    told = combined(FLAT, BIAS)
    assert values(told).items() >= {"FILTER": "R", "BUNIT": "", "OBJECT": "wflatR"}.items()
    assert told.history[2] == "  each divided by its own median"
    assert told.history[3:] == ("  flat0.fits", "  flat1.fits", "  flat2.fits")


def test_a_master_flat_names_the_dark_that_was_subtracted_and_its_factor() -> None:
    told = combined(replace(FLAT, dark_id=DARK.id, dark_scale=0.125), BIAS, DARK)
    expected = {"CALSTAT": "BD", "TWBIAS": BIAS.id, "TWDARK": DARK.id, "TWDSCALE": 0.125}
    assert values(told).items() >= expected.items()
    assert told.history[1:4] == (
        f"  each less masters/wbias-{BIAS.id}.fits",
        f"  each less masters/wdark80s-{DARK.id}.fits x 0.125",
        "  each divided by its own median",
    )


def test_a_master_made_without_a_bias_claims_no_correction() -> None:
    told = combined(DARK)
    assert not {"CALSTAT", "TWBIAS", "TWCALRAW"} & told.cards.keys()
    # Of what the camera's program said of its last frame nothing stands as if it were ours.
    camera = values(combined(DARK, raw=RAW | {"CALSTAT": "none"}))
    assert (camera["CALSTAT"], camera["TWCALRAW"]) == ("", "none")


def test_the_inputs_of_a_master_are_listed_in_order_with_their_folder_and_hash() -> None:
    frames = tuple(replace(one, path=f"night/{one.name}") for one in frames_of(Kind.BIAS))
    made = replace(BIAS, inputs=("1" * 64, "2" * 64, "3" * 64))
    assert inputs_of(BuildMaster(made, frames)) == {
        "NAME": ["night/bias0.fits", "night/bias1.fits", "night/bias2.fits"],
        "SHA256": ("1" * 64, "2" * 64, "3" * 64),
    }


def test_a_product_names_its_masters_and_how_they_were_used() -> None:
    told = product()
    assert values(told) == {
        "DATE-PRC": TIME,
        "CALSTAT": "BDF",
        "BUNIT": "adu",
        "TWVERS": "1.0",
        "TWID": "p" * 16,
        "TWRAW": "r" * 64,
        "TWRECIPE": "recipe",
        "TWFLAGS": "SCALED,AGED",
        "TWBIAS": BIAS.id,
        "TWDARK": DARK.id,
        "TWDSCALE": 0.75,
        "TWFLAT": FLAT.id,
    }
    assert told.history == (
        "tapewatch 1.0: calibrated from m13.fits",
        f"  less masters/wbias-{BIAS.id}.fits",
        f"  less masters/wdark80s-{DARK.id}.fits x 0.75",
        f"  divided by flats/masters/wflatR-{FLAT.id}.fits",
    )


def test_steps_left_out_leave_no_card() -> None:
    recipe = Recipe(bias=BIAS.id, flat=FLAT.id, parameters="recipe")
    cards = values(product(recipe=recipe, masters=(BIAS, FLAT)))
    assert cards["CALSTAT"] == "BF"
    assert not {"TWDARK", "TWDSCALE", "TWFLAGS"} & cards.keys()


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("DATE-OBS", OBJECT.date_obs), ("EXPTIME", 60.0), ("FILTER", "R"), ("OBJECT", "M 13")],
)
def test_standard_cards_are_given_where_the_raw_header_lacks_them(
    keyword: str, value: object
) -> None:
    lacking = {name: one for name, one in RAW.items() if name != keyword}
    assert values(product(lacking))[keyword] == value
    assert keyword not in product().cards


@pytest.mark.parametrize(
    ("keyword", "said", "value"),
    [
        ("FILTER", " ", "R"),
        ("EXPTIME", "60,00000", 60.0),  # Andor Solis where the language has a decimal comma
        ("EXPTIME", None, 60.0),
        ("OBJECT", "", "M 13"),
        ("DATE-OBS", "25/03/26", OBJECT.date_obs),
        ("DATE-OBS", "2026-03-25", OBJECT.date_obs),  # with the time of day in another keyword
        ("DATE-OBS", "2026-03-25T13:00:00-0700", OBJECT.date_obs),
        ("DATE-OBS", "2026-03-25 20:00:00", OBJECT.date_obs),
    ],
)
def test_standard_cards_are_given_where_other_programs_could_not_read_them(
    keyword: str, said: str | None, value: object
) -> None:
    assert values(product(RAW | {keyword: said}))[keyword] == value


def test_a_time_of_exposure_that_is_replaced_stands_in_the_comment() -> None:
    cards = product(RAW | {"DATE-OBS": "25/03/26"}).cards
    assert cards["DATE-OBS"][1] == "[UTC] start of exposure, raw: 25/03/26"
    assert combined(DARK, raw=RAW | {"DATE-OBS": "25/03/26"}).cards["DATE-OBS"][0] == (
        frames_of(Kind.DARK)[-1].date_obs
    )


def test_a_day_without_any_time_of_day_gets_none() -> None:
    midnight = replace(OBJECT, date_obs="2026-03-25T00:00:00")
    made = Product("p" * 16, "night/wm13.fits", "r" * 64, "h" * 64, RECIPE)
    raw = Cards(RAW | {"DATE-OBS": "2026-03-25"})
    told = of_product(midnight, raw, (BIAS, DARK, FLAT), made, "1.0", TIME)
    assert "DATE-OBS" not in told.cards


@pytest.mark.parametrize("said", ["2026-03-25T20:00:00", "2026-03-25T20:00:00.12"])
def test_a_time_of_exposure_that_is_right_stays_as_it_was_written(said: str) -> None:
    assert "DATE-OBS" not in product(RAW | {"DATE-OBS": said}).cards


def test_the_cameras_own_calstat_is_kept() -> None:
    assert values(product(RAW | {"CALSTAT": " "}))["TWCALRAW"] == " "
    assert "TWCALRAW" not in product().cards


def test_the_same_inputs_give_the_same_cards_but_for_the_time() -> None:
    one, other = (combined(DARK, BIAS, now=time) for time in (TIME, "later"))
    assert one.history == other.history
    assert {name for name in one.cards if one.cards[name] != other.cards[name]} == {"DATE-PRC"}
    assert product() == product()


def test_keywords_and_comments_fit_a_card() -> None:
    for told in (
        combined(replace(FLAT, filter="x" * 40), BIAS, DARK),
        product(),
    ):
        assert all(len(keyword) <= 8 for keyword in told.cards)
        assert all(comment.isascii() for _, comment in told.cards.values())


def composed(cards: Mapping[str, Change], history: Sequence[str] = ()) -> Header:
    """Write a header of nothing but these."""
    return Header(tuple(compose(Header(()), drop=lambda _: False, changes=cards, history=history)))


@given(
    st.builds(
        Recipe,
        bias=st.text("0123456789abcdef", min_size=16, max_size=16) | st.just(""),
        dark=st.just("d" * 16),
        flat=st.just("f" * 16) | st.just(""),
        dark_scale=st.floats(1e-6, 1e6),
        flags=st.lists(st.sampled_from(["SCALED", "AGED", "PROVISIONAL", "CUT"])).map(tuple),
        parameters=st.just("a" * 16),
    )
)
def test_the_recipe_of_a_product_is_read_back_as_it_was(recipe: Recipe) -> None:
    made_by = [
        master(one, kind)
        for one, kind in (
            (recipe.bias, Kind.BIAS),
            (recipe.dark, Kind.DARK),
            (recipe.flat, Kind.FLAT),
        )
        if one
    ]
    product = Product("c" * 16, "wx.fits", "0" * 64, "1" * 64, recipe)
    told = of_product(frame("n/x.fits"), Header(()), made_by, product, "1.0", "2026-03-25T18:00:00")
    header = composed(told.cards, told.history)
    assert recipe_of(header) == recipe
    assert raw_name_of(header) == "x.fits"


@pytest.mark.parametrize("mean", [1234.56789, -1e-9, 0.0, float("nan"), 3.4e38])
def test_the_statistics_of_a_master_are_read_back_to_seven_digits(mean: float) -> None:
    told = rounded(Statistics(mean, 2.0, 3.0, 1.0))
    assert told.mean == pytest.approx(mean, rel=1e-6, nan_ok=True)
    header = composed(statistics_cards(told))
    assert len(header.cards) == 4
    assert repr(statistics_of(header)) == repr(told)
