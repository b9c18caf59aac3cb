"""Meta-World itself, imported when one of its tasks is used."""

from __future__ import annotations

import warnings
from types import ModuleType

from robot.errors import MissingExtraError


def import_metaworld() -> ModuleType:
    """The module `metaworld`, with its submodules `env_dict` and `policies` loaded.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import metaworld
        import metaworld.env_dict
        import metaworld.policies
    except ImportError as error:
        raise MissingExtraError("Meta-World", "metaworld") from error
    # Its scripted policies warn at every step whose action they leave to be clipped, which is most of them.
    warnings.filterwarnings("ignore", message=r"Constant\(s\) may be too high", module="metaworld")
    return metaworld
