"""The base of all enumerations that the contract has."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING


class Case(Enum):
    """A case of one of the contract's enumerations: its value is its place there, its text its name there."""

    if not TYPE_CHECKING:
        # The host asks for it several times in a decision, and this one runs no Python code.
        value = property(attrgetter("_value_"))

    def __str__(self) -> str:
        return self._name_.lower().replace("_", "-")
