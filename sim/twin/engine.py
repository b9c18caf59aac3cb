"""MuJoCo's C functions, callable from compiled code and from plain Python alike, by the addresses of model and data."""

from __future__ import annotations

import ctypes
from pathlib import Path

import mujoco

from robot.compiled import COMPILED

_LIBRARY = next(Path(mujoco.__file__).parent.glob("libmujoco.so*"), None) or next(
    Path(mujoco.__file__).parent.glob("*mujoco*.d*")
)

if COMPILED:
    from llvmlite import binding
    from numba import types

    # Resolved by name when the compiled code is linked, so that it can be kept on disk between runs.
    binding.load_library_permanently(str(_LIBRARY))
    _address = types.intp
    step1 = types.ExternalFunction("mj_step1", types.void(_address, _address))
    step2 = types.ExternalFunction("mj_step2", types.void(_address, _address))
    full_inertia = types.ExternalFunction("mj_fullM", types.void(_address, _address, _address))
    site_jacobian = types.ExternalFunction("mj_jacSite", types.void(_address, _address, _address, _address, types.intc))
else:
    _mujoco = ctypes.CDLL(str(_LIBRARY))
    _pointer = ctypes.c_void_p
    step1, step2 = _mujoco.mj_step1, _mujoco.mj_step2
    step1.argtypes = step2.argtypes = [_pointer, _pointer]
    full_inertia = _mujoco.mj_fullM
    full_inertia.argtypes = [_pointer, _pointer, _pointer]
    site_jacobian = _mujoco.mj_jacSite
    site_jacobian.argtypes = [_pointer, _pointer, _pointer, _pointer, ctypes.c_int]
    step1.restype = step2.restype = full_inertia.restype = site_jacobian.restype = None
