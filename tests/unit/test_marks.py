"""What follows from a mark: sets without the frame, masters that nothing uses, and back again."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from support_planning import NOW, calibrated, frame, master, members, parameters
from tapewatch.model import BuildMaster, Kind, Master, ObjectFrame, Recipe, State
from tapewatch.planning.decisions import Facts, Plan
from tapewatch.planning.marks import badness, spread
from tapewatch.planning.plan import plan

LATER = NOW + 3600.0
BAD = "marked bad: clouds"
FRAMES = members(Kind.BIAS, 6)


def decide(facts: Facts) -> Plan:
    """Plan with the defaults, an hour later."""
    return plan(facts, parameters(), LATER)


def built(facts: Facts) -> Master:
    """Give the one master that a plan has combined."""
    (job,) = (job for job in decide(facts).jobs if isinstance(job, BuildMaster))
    return replace(job.master, built=True)


def in_use(facts: Facts, *masters: Master) -> Facts:
    """Facts after masters were combined."""
    return replace(facts, masters=masters, in_use=frozenset({masters[-1].id}))


def test_a_bad_frame_leaves_its_set_and_the_master_made_with_it_goes() -> None:
    six = built(Facts(FRAMES))
    facts = in_use(Facts(FRAMES), six)
    assert decide(facts).jobs == ()
    path, pixels = FRAMES[2].frame.path, f"pixels of {FRAMES[2].frame.path}"
    bad = spread({path: BAD, pixels: BAD}, [six])
    assert bad[six.id] == f"made with a frame {BAD}"
    made = decide(replace(facts, bad=bad))
    (job,) = made.jobs
    assert isinstance(job, BuildMaster)
    assert [one.path for one in job.frames] == [
        one.frame.path for one in FRAMES if one is not FRAMES[2]
    ]
    assert job.previous is None
    verdicts = {one.path: (one.state, one.reason) for one in made.verdicts}
    assert verdicts.pop(path) == (State.REJECTED, BAD)
    assert {state for state, _ in verdicts.values()} == {State.WAITING}
    assert decide(facts).jobs == ()  # unmarked, all is as it was


def test_a_bad_frame_is_bad_under_any_name() -> None:
    copy = replace(FRAMES[0], frame=replace(FRAMES[0].frame, path="copy.fits"))
    bad = {"pixels of bias0.fits": BAD}
    assert badness(copy, bad) == badness(FRAMES[0], bad) == BAD
    assert badness(FRAMES[1], bad) == ""
    one = calibrated(frame("m13.fits"), Recipe(), ("pixels", "header"))
    assert badness(one, {"pixels": BAD}) == badness(one, {"m13.fits": BAD}) == BAD
    assert badness(ObjectFrame(one.frame), {"pixels": BAD}) == ""


def test_a_bad_master_gives_way_to_the_version_before_it() -> None:
    five, six = built(Facts(FRAMES[:5])), built(Facts(FRAMES))
    facts = replace(in_use(Facts(FRAMES), five, six), bad={six.id: BAD})
    made = decide(facts)
    assert (made.jobs, [one.master for one in made.sets]) == ((), [five])
    assert made.sets[0].reason == (
        "the master of just these 6 bias frames was marked bad: clouds;"
        " it is not combined again without further ones"
    )
    assert made.verdicts[-1].state is State.WAITING
    seven = replace(facts, calibration=members(Kind.BIAS, 7))
    assert len(built(seven).inputs) == 7


def test_a_bad_master_without_a_version_before_it_leaves_its_set_waiting() -> None:
    six = built(Facts(FRAMES))
    facts = replace(in_use(Facts(FRAMES), six), bad={six.id: BAD})
    assert [one.master for one in decide(facts).sets] == [None]
    assert {one.state for one in decide(facts).verdicts} == {State.WAITING}


def test_a_bad_master_of_which_no_frame_is_left_is_not_kept() -> None:
    six = built(Facts(FRAMES))
    gone = in_use(Facts(), six)
    assert decide(gone).kept == (six,)
    assert decide(replace(gone, bad={six.id: BAD})).kept == ()


def test_an_object_frame_says_that_a_master_was_marked() -> None:
    flat = master("flat", Kind.FLAT)
    others = (master("bias"), master("dark", Kind.DARK))
    one = calibrated(frame("m13.fits"), Recipe("bias", "dark", "flat"))
    facts = Facts(
        objects=(one,),
        masters=(*others, flat),
        in_use=frozenset({"bias", "dark", "flat"}),
        bad={"flat": BAD},
    )
    made = decide(facts)
    assert (made.jobs, made.verdicts[0].state) == ((), State.STALE)
    assert made.verdicts[0].reason.endswith(f"for a master flat R: flat R 2026-03-25: {BAD}")


def test_a_bad_object_frame_is_set_aside() -> None:
    one = calibrated(frame("m13.fits"), Recipe())
    made = decide(Facts(objects=(one,), bad={"m13.fits": BAD}))
    assert made.jobs == ()
    assert [(v.state, v.reason) for v in made.verdicts] == [(State.REJECTED, BAD)]


CHAIN = (
    master("bias", inputs=("a", "b")),
    master("dark", Kind.DARK, bias_id="bias"),
    master("flat", Kind.FLAT, bias_id="bias", dark_id="dark"),
    master("other", Kind.FLAT, bias_id="another"),
)


@given(st.permutations(CHAIN), st.sampled_from(("a", "bias", "dark", "flat")))
def test_what_was_made_with_something_bad_is_bad_in_any_order(
    masters: list[Master], subject: str
) -> None:
    chain = ["bias", "dark", "flat"]
    tainted = chain if subject == "a" else chain[chain.index(subject) + 1 :]
    bad = spread({subject: BAD}, masters)
    assert bad.keys() == {subject, *tainted}
    assert all(BAD in bad[one] for one in tainted)
    assert spread({}, masters) == {}
