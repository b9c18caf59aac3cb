"""The tasks among Gymnasium's ids: `SUITE/NAME` is `tiller/SUITE-NAME-v0`, made by `gymnasium.make`.

Since its version 1.0 Gymnasium loads no plugins: an id is known once the package that registers it was imported. So
`import tiller` registers, before or after `import gymnasium`: at once, or as soon as Gymnasium is imported, so that
importing tiller costs no import of Gymnasium. `gymnasium.make("tiller:tiller/twin-lift-v0")` does both.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from robot.errors import InputError

if TYPE_CHECKING:
    from sim.tasks.environment import TaskEnv

NAMES: Mapping[str, str] = {
    "twin": "door drawer hand_grasp hand_turn lift peg place press stack wipe",
    "pusht": "state keypoints image",
    "robosuite": "Lift PickPlaceCan NutAssemblySquare Door Stack",
    "metaworld": """
        assembly basketball bin-picking box-close button-press button-press-topdown button-press-topdown-wall
        button-press-wall coffee-button coffee-pull coffee-push dial-turn disassemble door-close door-lock door-open
        door-unlock drawer-close drawer-open faucet-close faucet-open hammer hand-insert handle-press
        handle-press-side handle-pull handle-pull-side lever-pull peg-insert-side peg-unplug-side pick-out-of-hole
        pick-place pick-place-wall plate-slide plate-slide-back plate-slide-back-side plate-slide-side push push-back
        push-wall reach reach-wall shelf-place soccer stick-pull stick-push sweep sweep-into window-close window-open
    """,
    "maze": "01 02 03 04 05 06 07 08 09 10 11 12",
}
"""Suite -> names of its tasks, written out: to ask the suites would import them, half a second. A test compares."""


def gymnasium_id(task_id: str) -> str:
    """Gymnasium's id of a task: `tiller/twin-lift-v0` of `twin/lift`."""
    return f"tiller/{task_id.replace('/', '-', 1)}-v0"


def task_ids() -> tuple[str, ...]:
    """Ids of the tasks that are registered, as `sim.make` takes them."""
    return tuple(f"{suite}/{name}" for suite, names in NAMES.items() for name in names.split())


def build(*, task_id: str, render_mode: str | None = None, **options: Any) -> TaskEnv:
    """A registered task, for `gymnasium.make`. Its time limit is its own (option `max_steps`), no wrapper's.

    Args:
        task_id: as `sim.make` takes it.
        render_mode: `rgb_array` is the option `render=True`.
        options: as `sim.make` takes them.

    Raises:
        InputError: an option or its value is unknown.
        MissingExtraError: the suite is not installed.
    """
    import sim

    if render_mode not in (None, "rgb_array"):
        raise InputError("render_mode", expected="'rgb_array' or None", got=repr(render_mode))
    return sim.make(task_id, **(options if render_mode is None else {**options, "render": True}))


def register() -> None:
    """Register every task with Gymnasium, unless it is already."""
    import gymnasium

    for task_id in task_ids():
        name = gymnasium_id(task_id)
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point="tiller.registration:build", kwargs={"task_id": task_id})


def register_with_gymnasium() -> None:
    """Register now if Gymnasium is imported, else when it is."""
    if "gymnasium" in sys.modules:
        register()
    elif not any(isinstance(each, _Gymnasium) for each in sys.meta_path):
        sys.meta_path.insert(0, _Gymnasium())


class _Gymnasium(MetaPathFinder):
    """Finds Gymnasium where the other finders do, and registers once it is imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        others = [each for each in sys.meta_path if each is not self]
        spec = next(filter(None, (each.find_spec(name, path, target) for each in others)), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            # Only now: whoever merely asks whether Gymnasium is installed finds a spec too.
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            register()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
