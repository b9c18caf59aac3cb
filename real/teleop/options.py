"""The parameters that a node has for its person's device, and how the command line shows them."""

from __future__ import annotations

from typing import Any, Sequence

from rclpy.node import Node

from real.process.parameters import declare
from real.teleop.bindings import Bindings, load_bindings
from real.teleop.registry import BUILT_IN, DeviceKind, device_kind, device_names

DEFAULT = "keyboard"


def declare_device(node: Node) -> tuple[DeviceKind, dict[str, Any], Bindings | None]:
    """Declare the parameters of a person's device.

    Args:
        node: whose they are.

    Returns:
        The kind of the device; the values of its options by name, for `DeviceKind.make`; its bindings, None for a
        device that has none.

    Raises:
        InputError: an unknown device, a device that cannot be loaded, wrong bindings, or a wrong value.
    """
    name = declare(node, "device", DEFAULT, "what the person has", choices=device_names())
    kind = device_kind(name)
    given = declare(node, "bindings", "", "name or file of what the keys do; empty is the device's own")
    bindings = load_bindings(given or name, kind.vocabulary) if kind.vocabulary is not None else None
    options = {
        "bindings": bindings if bindings is not None else given,
        "path": declare(node, "path", "", "of the device's file, /dev/input/js0; empty takes the first"),
        "deadband": declare(node, "deadband", 0.15, "share of a stick's way that is rest", low=0.02, high=0.5),
        "hold_s": declare(
            node, "hold_s", kind.hold_s, "how long one grip of the enabling device counts, s", low=1.0, high=600.0
        ),
    }
    for each in kind.options:
        options[each.name] = declare(
            node, each.name, each.default, each.text, low=each.low, high=each.high, choices=each.choices
        )
    return kind, options, bindings


def device_help(words: Sequence[str]) -> str:
    """The devices, with options and bindings in force of the one that `device=` and `bindings=` of a command line name.

    Raises:
        InputError: as `declare_device`.
    """
    given = dict(word.partition("=")[::2] for word in words if "=" in word)
    chosen = given.get("device") or DEFAULT
    kind = device_kind(chosen)
    lines = ["Devices:"]
    for name in device_names():
        text = kind.help if name == chosen else device_kind(name).help if name in BUILT_IN else ""
        lines.append(f"  {name}: {text}".removesuffix(": "))
    lines += [f"  {option.name}: {option.text} ({option.default})" for option in kind.options]
    if kind.vocabulary is not None:
        bindings = load_bindings(given.get("bindings") or chosen, kind.vocabulary)
        lines += ["", f"Bindings of {chosen}, from {bindings.file}:", bindings.table()]
    return "\n".join(lines)
