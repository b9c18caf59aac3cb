"""A value for all rows or episodes of a store that lacks a column or a fact."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.edit.selection import fact_value
from data.store.names import TIME, meaning, without_meaning
from data.store.schema import ColumnField, MetaField
from robot.errors import InputError, shortened

_DTYPES = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}


def constant(field: MetaField | ColumnField, given: Any) -> Any:
    """A typed constant.

    Args:
        field: that is filled.
        given: as typed.

    Raises:
        InputError: it is no value of that field, or the field is one that no constant can be.
    """
    option = f"fill.{field.name}"
    if isinstance(field, MetaField):
        return fact_value(field, given, option)
    dtype = np.dtype(field.dtype)
    if field == TIME or dtype.kind not in _DTYPES:
        raise InputError(
            option,
            expected="a column of numbers that may be the same in each row",
            got=f"'{field.name}'",
            way_out=f"Leave it out with without=[{field.name}]",
        )
    value = fact_value(MetaField(field.name, _DTYPES[dtype.kind]), given, option)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise InputError(option, expected=f"a number that {dtype.name} holds", got=shortened(str(given)))
    values = np.full((1, *field.shape), value, dtype)
    if without_meaning(field, values).any():
        raise InputError(option, expected=meaning(field), got=shortened(str(given)))
    return value
