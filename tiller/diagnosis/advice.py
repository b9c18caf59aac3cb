"""From figures to advice: what will pay, in order, with what speaks for and against each, by rules with thresholds.

The thresholds were set on the bases of docs/results.md that were measured with every rung; each constant says by what.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Callable

from sim.statistics.intervals import Interval
from tiller.diagnosis.figures import Component, Figures, Setting

GOOD_ENOUGH = 0.95
"""Success from which there is nothing left that a few minutes could show."""
LEAST_GAIN = 0.03
"""Of a free setting: less is within what continuing a training moves by itself."""
CHUNKS_DIFFER = 0.01
"""Variance between chunks: above it, with its interval, a choice has something to choose from (lift .035 [.017, .054],
drawer .029 [.018, .041])."""
CHUNKS_ALIKE = 0.02
"""Below it, with its interval, it has not (peg .008 [.001, .018]): the best of a few chunks adds little, later luck
decides."""
RANKS = 0.55
"""Concordance that a critic must exceed with its interval to choose."""
ENOUGH_STATES = 10
"""That a concordance must be of."""
OUTSIDE = 0.2
"""Share of failing starts outside the demonstrated ones from which demonstrations there pay. Inside it is about .01."""
FARTHER = 0.6
"""Chance that a failing start is farther than a succeeding one, above which starts inside are thinly covered."""
FEW_EPOCHS = 60
"""Weak bases were stopped after 34 to 51 epochs, trained ones after 116 to 490."""
MISFIT = 0.35
"""Error at demonstrated states: .44 to .50 of weak bases, .03 to .16 of trained ones (.31 where demonstrations are of
several strategies)."""
FEW_SUCCESSES = 0.1
"""Success below which there is little of its own to learn from."""
LUCK = 0.05
"""Share of failures that another try mends, below which the state decides."""
DISAGREE = 0.3
"""Of what two demonstrations do at similar states."""
CONSTANT_HURTS = -0.05
"""Gain of zero noise, below which one noise held is no way to act: variety finds the way (peg .40 -> .26)."""


class Verdict(StrEnum):
    """Whether something pays, best first."""

    PAYS = "pays"
    MAY = "may pay"
    UNKNOWN = "not known"
    NO = "does not pay"


@dataclass(frozen=True)
class Advice:
    """One thing to do, or not.

    Args:
        rung: name of it.
        verdict: whether it pays.
        do: what to do, in words.
        gain: in success that the figures speak for; None where they do not say.
        pro, contra: the evidence for and against.
        words: for the command line that does it, after `tiller`; empty for none.
    """

    rung: str
    verdict: Verdict
    do: str
    gain: float | None = None
    pro: tuple[str, ...] = ()
    contra: tuple[str, ...] = ()
    words: str = ""


def advise(figures: Figures) -> tuple[Advice, ...]:
    """What will pay, in order.

    What pays comes before what may, then what is not known, then what does not pay. Of what pays, longer training comes
    first, as all else changes with it; then what is free; then the larger gain.
    """
    if figures.settings.base.low > GOOD_ENOUGH:
        line = f"it succeeds in {_shown(figures.settings.base)}"
        return (Advice("nothing", Verdict.PAYS, "Leave it as it is", None, (line,)),)
    listed = [rule(figures) for rule in RULES]
    first = {"train_longer": -2, "free": -1}
    verdicts = list(Verdict)

    def place(number: int) -> tuple[int, int, float, int]:
        each = listed[number]
        return verdicts.index(each.verdict), first.get(each.rung, 0), -(each.gain or 0.0), number

    return tuple(listed[number] for number in sorted(range(len(listed)), key=place))


def longer(figures: Figures) -> Advice:
    """Train longer, where it fits its own demonstrations badly after few epochs."""
    epochs, coverage = figures.training.epochs, figures.coverage
    misfit = None if coverage is None else coverage.misfit
    pro: list[str] = []
    contra: list[str] = []
    if epochs is not None:
        (pro if epochs < FEW_EPOCHS else contra).append(f"{epochs:.0f} epochs (few are less than {FEW_EPOCHS})")
    if misfit is not None:
        line = f"error at demonstrated states {misfit:.2f} of what varies there (a bad fit is {MISFIT} or more)"
        (pro if misfit >= MISFIT else contra).append(line)
    verdict = Verdict.NO
    if epochs is None and misfit is None:
        verdict = Verdict.UNKNOWN
    elif pro:
        verdict = Verdict.PAYS if len(pro) == 2 else Verdict.MAY
    if len(pro) == 1 and contra:
        verdict = Verdict.NO if misfit is not None and misfit < MISFIT else Verdict.MAY
    return Advice("train_longer", verdict, "Train the base longer, and diagnose it again", None, tuple(pro),
                  tuple(contra), "train initial=CHECKPOINT data=DEMONSTRATIONS training.steps=...")  # fmt: skip


def free(figures: Figures) -> Advice:
    """Another setting of the same policy."""
    best, gain = figures.settings.named(figures.settings.best), figures.settings.best_gain
    if len(figures.settings.settings) < 2:
        return Advice("free", Verdict.UNKNOWN, "A free setting", None, (), ("this policy has none",))
    assert best is not None
    if best.name == figures.settings.settings[0].name:
        line = "no other noise scale or number of steps did better on the same starts"
        return Advice("free", Verdict.NO, "Keep noise scale and steps", None, (), (line,))
    pro = [f"{best.name}: {_shown(best.success)}, {_signed(best.gain)} over the base on the same starts"]
    contra: list[str] = []
    halves = f"picked on one half of the starts and counted on the other, the gain is {_signed(gain)}"
    verdict = Verdict.NO
    if gain.low > 0 and gain.estimate >= LEAST_GAIN:
        verdict = Verdict.PAYS
    elif gain.estimate >= LEAST_GAIN or best.gain.low > 0:
        verdict = Verdict.MAY
    (pro if verdict is Verdict.PAYS else contra).append(halves)
    return Advice("free", verdict, f"Run it with {best.name}", max(gain.estimate, 0.0), tuple(pro), tuple(contra),
                  _evaluate(best))  # fmt: skip


def demonstrations(figures: Figures) -> Advice:
    """More demonstrations, and where."""
    do = "Collect 20 to 50 demonstrations"
    coverage = figures.coverage
    if coverage is None:
        why = figures.skipped.get("coverage", "not measured")
        return Advice("demonstrations", Verdict.UNKNOWN, do, None, (), (why,))
    outside, auc = coverage.outside_failing, coverage.auc
    pro: list[str] = []
    contra: list[str] = []
    verdict, gain = Verdict.NO, None
    if outside is not None:
        inside = coverage.outside_succeeding
        beside = "" if inside is None else f", of succeeding ones {_shown(inside)}"
        line = f"of failing starts {_shown(outside)} lie outside the demonstrated ones{beside}"
        if outside.low >= OUTSIDE:
            verdict, gain = Verdict.PAYS, outside.estimate * _failures(figures)
        elif outside.estimate >= OUTSIDE:
            verdict = Verdict.MAY
        (contra if verdict is Verdict.NO else pro).append(line)
    if auc is not None:
        line = f"a failing start is farther from them than a succeeding one with chance {_shown(auc)}"
        (pro if auc.low > FARTHER else contra if auc.low <= 0.5 else pro).append(line)
        if auc.low > FARTHER and verdict is Verdict.NO:
            verdict = Verdict.MAY
    if verdict is Verdict.NO:
        contra.append("it fails where there are demonstrations: on twin/peg a hundred more did nothing")
    elif components := [each for each in coverage.components if each.outside > 0][:2]:
        do += " where " + " and ".join(_where(each) for each in components)
    if coverage.disagreement.low > DISAGREE:
        line = f"two demonstrations differ by {_shown(coverage.disagreement)} at similar states: make them alike"
        contra.append(line)
    return Advice("demonstrations", verdict, do, gain, tuple(pro), tuple(contra),
                  "collect task=TASK ... , then train initial=CHECKPOINT data=[OLD,NEW]")  # fmt: skip


def filtered_bc(figures: Figures) -> Advice:
    """Go on training on demonstrations and its own successes."""
    success, mended = 1 - _failures(figures), None if figures.chunks is None else figures.chunks.mended
    pro: list[str] = []
    contra: list[str] = []
    gain = None
    if longer(figures).verdict is Verdict.PAYS:
        contra.append(
            "it is hardly trained: on three such bases its own successes beside demonstrations cost 8 to 40 points"
        )
    line = f"it succeeds in {success:.0%} by itself"
    verdict = Verdict.PAYS
    if success < FEW_SUCCESSES:
        verdict = Verdict.MAY
        contra.append(f"{line}: little to learn from")
    else:
        pro.append(f"{line}: successes to learn from")
    if mended is not None:
        line = f"another try from the same state mends {_shown(mended)} of the failures"
        gain = mended.estimate * _failures(figures)
        if mended.high < LUCK:
            verdict = Verdict.MAY
            contra.append(f"{line}: it succeeds where it always does")
        else:
            pro.append(f"{line}: it can do there what it does sometimes")
    if _alike(figures):
        pro.append("choosing among its own chunks brings little: this leaves them")
    if longer(figures).verdict is Verdict.PAYS:
        verdict = Verdict.NO
    return Advice("filtered_bc", verdict, "Continue training on the demonstrations and its own successes, beside a "
                  "control on the demonstrations alone", gain, tuple(pro), tuple(contra),
                  "steer checkpoint=CHECKPOINT task=TASK method=filtered_bc")  # fmt: skip


def choice(figures: Figures) -> Advice:
    """A critic that chooses among chunks: best of K, or a codebook."""
    do, words = (
        "Let a critic choose: best of K, or a codebook",
        "steer checkpoint=CHECKPOINT task=TASK method=best_of_k",
    )
    chunks, critic = figures.chunks, figures.critic
    if chunks is None:
        why = figures.skipped.get("chunks", "not measured")
        return Advice("choice", Verdict.UNKNOWN, do, None, (), (why,), words)
    line = f"variance of success between chunks at one state {_shown(chunks.between_chunks)}"
    line += f", within {_shown(chunks.within)}"
    if _alike(figures):
        return Advice("choice", Verdict.NO, do, None, (), (f"{line}: chunks hardly differ",), words)
    if not chunks.between_chunks.low > CHUNKS_DIFFER:
        why = f"{line}: {chunks.states} states cannot tell; give more minutes"
        return Advice("choice", Verdict.UNKNOWN, do, None, (), (why,), words)
    pro, contra = [f"{line}: chunks differ"], []
    best = figures.settings.named(figures.settings.best)
    calm = best is not None and best.noise_scale < 1
    gain = chunks.chosen_over_zero if calm else chunks.gain
    over = "that of zero noise" if calm else "a drawn one"
    verdict = Verdict.MAY
    if calm:
        contra.append("on four bases the best of 16 was no better than the best noise scale, which is free")
    text = (
        f"the best of a few chunks, chosen on half of the continuations, adds {_signed(gain)} to {over} at one decision"
    )
    if gain.high < LEAST_GAIN:
        verdict = Verdict.NO
        contra.append(text)
    else:
        pro.append(text)
    if critic is None:
        contra.append(figures.skipped.get("critic", "no critic was tried"))
    else:
        text = f"a quick critic ranks {_shown(critic.concordance)} of the pairs of {critic.states} states rightly"
        if critic.states >= ENOUGH_STATES and critic.concordance.low > RANKS:
            verdict = Verdict.PAYS if gain.low > LEAST_GAIN else verdict
            pro.append(text)
        else:
            contra.append(f"{text}: not yet above {RANKS}")
    return Advice("choice", verdict, do, max(gain.estimate, 0.0), tuple(pro), tuple(contra), words)


def ticket(figures: Figures) -> Advice:
    """One noise for all states."""
    do, words = "Search one constant noise", "steer checkpoint=CHECKPOINT task=TASK method=ticket"
    zero = next((each for each in figures.settings.settings if each.noise_scale == 0), None)
    if zero is None:
        why = figures.skipped.get("noise", "zero noise was not measured")
        return Advice("ticket", Verdict.UNKNOWN, do, None, (), (why,), words)
    line = f"zero noise, which is constant too: {_signed(zero.gain)}"
    if zero.gain.estimate < CONSTANT_HURTS:
        return Advice("ticket", Verdict.NO, do, None, (), (f"{line}: variety finds the way",), words)
    chunks = figures.chunks
    if chunks is not None and chunks.between_chunks.low > CHUNKS_DIFFER and chunks.chosen_over_zero.low > 0:
        pro = (f"{line}", f"a chosen chunk beats that of zero noise by {_signed(chunks.chosen_over_zero)}")
        contra = ("the best of 32 tickets was no better than zero noise on fresh starts of shifted twin/lift",)
        return Advice("ticket", Verdict.MAY, do, None, pro, contra, words)
    return Advice("ticket", Verdict.NO, do, None, (line,), ("no chunk is known to beat that of zero noise",), words)


def residual(figures: Figures) -> Advice:
    """Small corrections of the executed actions, which leave the base's support."""
    do, words = "Learn a residual on the executed rows", "steer checkpoint=CHECKPOINT task=TASK method=residual"
    if figures.chunks is None:
        return Advice("residual", Verdict.UNKNOWN, do, None, (), ("variance between chunks is not known",), words)
    line = f"variance between chunks {_shown(figures.chunks.between_chunks)}"
    if figures.chunks.between_chunks.low > CHUNKS_DIFFER:
        return Advice("residual", Verdict.NO, do, None, (), (f"{line}: try what is within its support",), words)
    if not _alike(figures):
        why = f"{line}: {figures.chunks.states} states cannot tell; give more minutes"
        return Advice("residual", Verdict.UNKNOWN, do, None, (), (why,), words)
    if demonstrations(figures).verdict is Verdict.PAYS:
        return Advice("residual", Verdict.NO, do, None, (f"{line}: chunks hardly differ",),
                      ("demonstrations are missing where it fails",), words)  # fmt: skip
    pro = (f"{line}: what is missing is not among its chunks",)
    return Advice(
        "residual", Verdict.MAY, do, None, pro, ("filtered behaviour cloning leaves them too, for less",), words
    )


RULES: tuple[Callable[[Figures], Advice], ...] = (longer, free, demonstrations, filtered_bc, choice, ticket, residual)


def _alike(figures: Figures) -> bool:
    """Whether the chunks of one state hardly differ in value."""
    return figures.chunks is not None and figures.chunks.between_chunks.high < CHUNKS_ALIKE


def _failures(figures: Figures) -> float:
    """The share of failures that is left under the best free setting, where one pays."""
    settings = figures.settings
    best, gain = settings.named(settings.best), settings.best_gain
    pays = best is not None and gain.low > 0 and gain.estimate >= LEAST_GAIN
    return 1.0 - min(settings.base.estimate + (gain.estimate if pays else 0.0), 1.0)


def _where(component: Component) -> str:
    """The region where a component of failing starts lies, beside the demonstrated one."""
    low, high, unit = (
        component.failing_low,
        component.failing_high,
        "" if component.unit == "1" else f" {component.unit}",
    )
    reach = f"{component.name} is {low:.3g} to {high:.3g}{unit}"
    return f"{reach} (demonstrated: {component.low:.3g} to {component.high:.3g})"


def _evaluate(setting: Setting) -> str:
    words = ["evaluate checkpoint=CHECKPOINT task=TASK"]
    if setting.steps:
        words.append(f"steps={setting.steps}")
    if setting.noise_scale != 1:
        words.append(f"steering=noise_scale steering.noise_scale={setting.noise_scale:g}")
    return " ".join(words)


def _shown(interval: Interval) -> str:
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _signed(interval: Interval) -> str:
    return f"{interval.estimate:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
