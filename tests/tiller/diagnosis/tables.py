"""Figures of bases that were measured with every rung, and what was found to pay on them (docs/results.md)."""

from __future__ import annotations

from dataclasses import replace

from sim.statistics.intervals import Interval
from tiller.diagnosis.figures import (
    ChunksFigures,
    Component,
    CoverageFigures,
    CriticFigures,
    Figures,
    Setting,
    SettingsFigures,
    TrainingFigures,
)


def of(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high)


def settings_of(base: Interval, zero: Interval, best: Setting, best_gain: Interval) -> SettingsFigures:
    """A base, zero noise with its gain, and the best of the others."""
    plain = Setting("base", 1.0, 5, base, of(0, 0, 0))
    zeroed = Setting("noise_scale 0", 0.0, 5, of(0.5, 0.4, 0.6), zero)
    listed = (plain, zeroed) if best.name == zeroed.name else (plain, zeroed, best)
    return SettingsFigures(base, listed, best.name, best_gain, 128, 50_000, 500_000, {})


def chunks_of(between: Interval, within: float, gain: Interval, over_zero: Interval, mended: Interval) -> ChunksFigures:
    some = of(within, within - 0.02, within + 0.02)
    return ChunksFigures(
        some, between, some, some, some, gain, some, over_zero, some, mended, {"0": between}, 24, 71, 300_000
    )


def coverage_of(outside: Interval, auc: Interval, misfit: float = 0.03) -> CoverageFigures:
    component = Component("cube.position.x", "m", 0.42, 0.58, outside.estimate, 0.32, 0.63, auc.estimate)
    inside, disagreement = of(0.03, 0.01, 0.08), of(0.2, 0.15, 0.25)
    return CoverageFigures(
        auc, outside, inside, 3.0, (component,), 100, 60, disagreement, misfit, of(0.9, 0.8, 1.0), inside, 12.0
    )


SHIFTED_LIFT = Figures(
    settings_of(
        of(0.44, 0.37, 0.51),
        of(0.20, 0.135, 0.26),
        Setting("noise_scale 0.25", 0.25, 3, of(0.65, 0.58, 0.71), of(0.21, 0.15, 0.27)),
        of(0.19, 0.12, 0.26),
    ),
    chunks_of(
        of(0.0345, 0.0174, 0.0542), 0.044, of(0.091, 0.043, 0.149), of(0.039, 0.0045, 0.083), of(0.18, 0.1, 0.27)
    ),
    coverage=coverage_of(of(0.55, 0.42, 0.67), of(0.85, 0.78, 0.91)),
    training=TrainingFigures(6000, 490.0),
)
WEAK_PEG = Figures(
    settings_of(
        of(0.28, 0.22, 0.35),
        of(-0.14, -0.22, -0.06),
        Setting("noise_scale 0.5", 0.5, 5, of(0.495, 0.43, 0.56), of(0.215, 0.125, 0.30)),
        of(0.20, 0.11, 0.29),
    ),
    chunks_of(of(0.008, 0.001, 0.018), 0.191, of(0.042, 0.005, 0.078), of(0.01, -0.05, 0.07), of(0.28, 0.22, 0.34)),
    coverage=coverage_of(of(0.01, 0.0, 0.05), of(0.52, 0.44, 0.60), misfit=0.16),
    training=TrainingFigures(10_000, 116.0),
)
HARDLY_TRAINED = replace(
    WEAK_PEG,
    settings=settings_of(
        of(0.45, 0.38, 0.52),
        of(0.03, -0.04, 0.1),
        Setting("noise_scale 0", 0.0, 3, of(0.48, 0.41, 0.55), of(0.03, -0.04, 0.1)),
        of(0.01, -0.06, 0.08),
    ),
    chunks=chunks_of(
        of(0.029, 0.0178, 0.0407), 0.158, of(0.144, 0.099, 0.189), of(0.101, 0.037, 0.16), of(0.34, 0.28, 0.4)
    ),
    coverage=coverage_of(of(0.02, 0.0, 0.07), of(0.55, 0.46, 0.63), misfit=0.445),
    training=TrainingFigures(1000, 45.0),
)
GOOD_CRITIC = CriticFigures(of(0.66, 0.58, 0.73), of(0.9, 0.8, 0.95), 34, 3000, 600, 600, 50_000)
