"""What is planned for one folder: jobs, states and reasons."""

from dataclasses import replace
from typing import Any

import pytest

from support_planning import (
    CAMERA,
    NOW,
    calibrated,
    frame,
    master,
    member,
    members,
    parameters,
)
from tapewatch.model import (
    BuildMaster,
    CalibrateFrame,
    CalibrationFrame,
    Job,
    Kind,
    Master,
    MeasureFrame,
    ObjectFrame,
    Recipe,
    State,
    Step,
)
from tapewatch.planning.decisions import Facts, Plan, Verdict
from tapewatch.planning.identity import identify
from tapewatch.planning.plan import plan

OBJECT = ObjectFrame(frame("m13.fits"))
SUITABLE = (master("bias"), master("dark", Kind.DARK), master("flat", Kind.FLAT))
RECIPE = Recipe("bias", "dark", "flat", 1.0, (), identify(*Step, parameters().treatment))
LATER = NOW + 3600.0


def decide(facts: Facts, now: float = NOW, **changes: Any) -> Plan:  # noqa: ANN401
    """Plan with the defaults, apart from the fields given."""
    return plan(facts, parameters(**changes), now)


def about_object(
    one: ObjectFrame = OBJECT,
    masters: tuple[Master, ...] = SUITABLE,
    steps: tuple[Step, ...] = tuple(Step),
) -> tuple[Job | None, Verdict]:
    """Decide on an object frame where masters are in use."""
    in_use = frozenset(each.id for each in masters)
    made = decide(Facts(objects=(one,), masters=masters, in_use=in_use), steps=steps)
    (verdict,) = made.verdicts
    return (made.jobs[0] if made.jobs else None), verdict


def built(made: Plan) -> tuple[Master, ...]:
    """Masters that a plan has combined."""
    return tuple(replace(j.master, built=True) for j in made.jobs if isinstance(j, BuildMaster))


def combined(frames: tuple[CalibrationFrame, ...]) -> tuple[Master, ...]:
    """Masters that ``once`` makes of frames, all of them."""
    masters: tuple[Master, ...] = ()
    while new := built(plan(Facts(frames, masters=masters), parameters(), NOW, finish=True)):
        masters += new
    return masters


def test_nothing_is_planned_for_an_empty_folder() -> None:
    assert decide(Facts()) == Plan()


def test_a_calibration_frame_is_read_before_all_else() -> None:
    frames = members(Kind.BIAS, 5, pixels=None)
    made = decide(Facts(frames))
    assert made.jobs == tuple(MeasureFrame(one.frame) for one in frames)
    assert {one.state for one in made.verdicts} == {State.WAITING}
    assert {one.reason for one in made.verdicts} == {"its frames are being read"}


def test_a_complete_set_of_biases_is_combined_in_order_of_exposure() -> None:
    frames = members(Kind.BIAS, 5)
    (job,) = decide(Facts(frames[::-1])).jobs
    assert isinstance(job, BuildMaster)
    assert job.frames == tuple(one.frame for one in frames)
    assert job.bias is None
    assert job.master.inputs == tuple(one.data_hash for one in frames)
    assert not job.master.built
    assert job.master.path == f"masters/wbias-{job.master.id}.fits"


@pytest.mark.parametrize("kind", [Kind.DARK, Kind.FLAT])
def test_darks_and_flats_wait_for_a_bias_and_then_name_it(kind: Kind) -> None:
    frames = members(kind, 5)
    made = decide(Facts(frames))
    assert made.jobs == ()
    expected = f"5 {kind} frames wait for a master bias: no bias frames yet"
    assert made.verdicts[0].reason == expected
    bias = master("bias", folder="elsewhere")
    (job,) = decide(Facts(frames, elsewhere=(bias,))).jobs
    assert isinstance(job, BuildMaster)
    assert job.bias == bias
    assert job.master.bias_id == "bias"


def test_darks_wait_while_their_bias_is_being_combined() -> None:
    made = decide(Facts((*members(Kind.BIAS, 5), *members(Kind.DARK, 5))))
    (job,) = made.jobs
    assert isinstance(job, BuildMaster)
    assert job.master.kind is Kind.BIAS


def test_frames_of_a_master_on_disk_are_done() -> None:
    frames = members(Kind.BIAS, 5)
    (bias,) = combined(frames)
    made = decide(Facts(frames, masters=(bias,)))
    assert made.jobs == ()
    assert {(one.state, one.reason) for one in made.verdicts} == {(State.DONE, f"in {bias.path}")}


def test_more_frames_make_a_new_version_when_the_set_is_quiet() -> None:
    frames = members(Kind.BIAS, 6)
    (bias,) = combined(frames[:5])
    facts = Facts(frames, masters=(bias,), in_use=frozenset({bias.id}))
    made = decide(facts, frames[-1].arrived)
    assert made.jobs == ()
    assert [one.master for one in made.sets] == [bias]
    assert [one.state for one in made.verdicts] == [State.DONE] * 5 + [State.WAITING]
    assert made.look_again is not None
    (job,) = decide(facts, made.look_again).jobs
    assert isinstance(job, BuildMaster)
    assert len(job.frames) == 6


def test_a_better_bias_has_darks_and_flats_combined_anew_at_once() -> None:
    rest = (*members(Kind.DARK, 1), *members(Kind.FLAT, 1))  # taken as they were at noon
    old = combined((*members(Kind.BIAS, 5), *rest))
    frames = (*members(Kind.BIAS, 6), *rest)
    facts = Facts(frames, masters=old, in_use=frozenset(one.id for one in old))
    (first,) = built(decide(facts, LATER))
    assert first.kind is Kind.BIAS
    with_bias = replace(facts, masters=(*old, first))
    anew = built(decide(with_bias, LATER))
    assert [(one.kind, one.bias_id) for one in anew] == [
        (Kind.DARK, first.id),
        (Kind.FLAT, first.id),
    ]
    assert decide(replace(facts, masters=(*old, first, *anew)), LATER).jobs == ()


def test_a_master_that_cannot_be_combined_leaves_the_one_before_in_use() -> None:
    frames = members(Kind.BIAS, 6)
    (old,) = combined(frames[:5])
    facts = Facts(frames, masters=(old,), in_use=frozenset({old.id}))
    (wanted,) = built(decide(facts, LATER))
    made = decide(replace(facts, failures={wanted.id: "no memory"}), LATER)
    assert made.jobs == ()
    assert [one.master for one in made.sets] == [old]
    assert made.verdicts[-1].state is State.WAITING
    assert made.verdicts[-1].reason == "combining failed: no memory"
    assert decide(Facts(frames, failures={wanted.id: "no memory"}), LATER).sets[0].master is None


def test_a_master_stays_in_use_when_its_raw_frames_vanish() -> None:
    frames = members(Kind.BIAS, 5)
    (bias,) = combined(frames)
    in_use = frozenset({bias.id})
    for left in range(1, 5):
        made = decide(Facts(frames[:left], masters=(bias,), in_use=in_use), LATER)
        assert (made.jobs, [one.master for one in made.sets]) == ((), [bias])
    gone = decide(Facts(masters=(bias,), in_use=in_use))
    assert (gone.jobs, gone.sets, gone.kept) == ((), (), (bias,))
    assert decide(Facts(masters=(bias,))).kept == ()


def test_the_last_version_stays_when_what_is_left_was_combined_before() -> None:
    frames = members(Kind.BIAS, 6)
    (before,), (last,) = combined(frames[:5]), combined(frames)
    facts = Facts(frames[:5], masters=(before, last), in_use=frozenset({last.id}))
    assert [one.master for one in decide(facts, LATER).sets] == [last]


def test_a_master_of_frames_that_now_belong_to_two_sets_is_not_used() -> None:
    warm = [
        member(f"{number}", Kind.DARK, number, temperature=one)
        for number, one in enumerate((-19.0, -19.0, -17.5))
    ]
    bias, dark = combined((*members(Kind.BIAS, 5), *warm))
    frames = (*members(Kind.BIAS, 5), *warm, member("cold", Kind.DARK, 9, temperature=-20.0))
    facts = Facts(frames, masters=(bias, dark), in_use=frozenset({bias.id, dark.id}))
    made = decide(facts, LATER)
    assert [len(job.frames) for job in made.jobs if isinstance(job, BuildMaster)] == [3]
    assert dark not in [one.master for one in made.sets]
    assert made.kept == ()


def test_the_same_pixels_under_two_names_are_one_frame() -> None:
    frames = (*members(Kind.BIAS, 5), member("copy", minutes=9, pixels="pixels of bias0.fits"))
    (bias,) = combined(frames)
    assert len(bias.inputs) == 5
    verdict = decide(Facts(frames, masters=(bias,))).verdicts[-1]
    reason = f"the same pixels as bias0.fits: in {bias.path}"
    assert verdict == Verdict("copy", State.DONE, reason)
    waiting = decide(Facts((frames[0], frames[-1]))).verdicts[-1]
    assert waiting.state is State.WAITING


def test_masters_by_which_frames_are_matched_otherwise_have_other_ids() -> None:
    def identity(minutes: float = 5.0, **changes: Any) -> str:  # noqa: ANN401
        last = member("last", Kind.BIAS, minutes, **changes)
        (wanted,) = built(decide(Facts((*members(Kind.BIAS, 4, **changes), last))))
        return wanted.id

    settings = replace(CAMERA, settings=(("GAIN", "1"),))
    others = [identity(detector=settings), identity(temperature=-20.0), identity(minutes=9)]
    assert len({identity(), *others}) == 4


def test_an_object_frame_is_calibrated_when_its_masters_are_there() -> None:
    job, verdict = about_object()
    assert job == CalibrateFrame(OBJECT.frame, RECIPE, SUITABLE)
    assert verdict == Verdict("m13.fits", State.WAITING, "to be calibrated")


def test_flags_and_scale_go_into_the_recipe() -> None:
    masters = (SUITABLE[0], replace(SUITABLE[1], exptime=30.0), SUITABLE[2])
    job, _ = about_object(masters=tuple(replace(one, start=one.start - 1e5) for one in masters))
    assert isinstance(job, CalibrateFrame)
    assert (job.recipe.dark_scale, job.recipe.flags) == (2.0, ("AGED", "SCALED", "SCALEDUP"))


def test_steps_left_out_need_no_master() -> None:
    job, _ = about_object(masters=SUITABLE[::2], steps=(Step.BIAS, Step.FLAT))
    assert isinstance(job, CalibrateFrame)
    assert job.recipe.calstat == "BF"
    assert job.recipe.parameters != RECIPE.parameters


def test_a_product_of_the_recipe_is_done() -> None:
    assert about_object(calibrated(OBJECT.frame, RECIPE)) == (
        None,
        Verdict("m13.fits", State.DONE, "calibrated: wm13.fits"),
    )


def test_a_product_of_other_masters_is_made_anew_after_the_new_frames() -> None:
    job, verdict = about_object(calibrated(OBJECT.frame, replace(RECIPE, bias="before")))
    assert job == CalibrateFrame(OBJECT.frame, RECIPE, SUITABLE, redo=True)
    assert verdict.state is State.STALE
    assert verdict.reason == "to be calibrated anew: better masters have come"


def test_a_file_that_was_touched_is_read_and_calibrated_anew_only_if_it_differs() -> None:
    one = calibrated(OBJECT.frame, RECIPE)
    job, verdict = about_object(replace(one, content=None))
    assert (job, verdict.state) == (MeasureFrame(OBJECT.frame), State.STALE)
    job, verdict = about_object(replace(one, content=("d", "another header")))
    assert job == CalibrateFrame(OBJECT.frame, RECIPE, SUITABLE)
    assert verdict.reason == "to be calibrated anew: its file has changed"
    assert about_object(one)[0] is None


def test_a_product_whose_masters_are_no_more_is_not_called_done() -> None:
    job, verdict = about_object(calibrated(OBJECT.frame, RECIPE), SUITABLE[:2])
    assert (job, verdict.state) == (None, State.STALE)
    assert verdict.reason == (
        "calibrated, to be done anew: waits: for a master flat R: no flat frames yet"
    )


def test_an_object_frame_says_all_that_it_waits_for() -> None:
    frames = (*members(Kind.BIAS, 5), *members(Kind.DARK, 2))
    made = decide(Facts(frames, (OBJECT,), elsewhere=(master("flat", Kind.FLAT, filter="V"),)))
    assert made.verdicts[-1] == Verdict(
        "m13.fits",
        State.WAITING,
        "waits: master bias 2026-03-25 is being combined; for a master dark 60 s: 2 of 5 dark"
        " frames, at least 3 are needed; for a master flat R: flat V 2026-03-25: filter V, frame R",
    )


def test_a_plan_tells_the_masters_chosen_and_those_turned_down() -> None:
    other = master("other", Kind.FLAT, filter="V", folder="elsewhere")
    facts = Facts(objects=(OBJECT,), elsewhere=(*SUITABLE, other))
    matches = decide(facts).matches["m13.fits"]
    assert {kind: match.master and match.master.id for kind, match in matches.items()} == {
        Kind.BIAS: "bias",
        Kind.DARK: "dark",
        Kind.FLAT: "flat",
    }
    assert matches[Kind.FLAT].turned_down == ((other, "filter V, frame R"),)
