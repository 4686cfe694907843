"""A linear or mixed-integer programme built of arrays and handed to HiGHS.

Columns, rows and entries are added in blocks; nothing is looped over in Python.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from renkei.kit.errors import RenkeiError, gettext_noop

Status = Literal["optimal", "infeasible", "stopped"]


class SolverError(RenkeiError):
    """The solver ended in a way that gives no answer."""

    code = "materials.solver"
    status = 500


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What the solver found.

    ``price`` is the change of the objective for one unit more on a row's right side, ``reduced``
    for one unit more of a column; both are empty for integer programmes.
    """

    status: Status
    objective: float
    value: NDArray[np.float64]
    price: NDArray[np.float64]
    reduced: NDArray[np.float64]


class Program:
    """Minimise cost · x with low ≤ A x ≤ high and lower ≤ x ≤ upper."""

    def __init__(self) -> None:
        self._columns = 0
        self._rows = 0
        self._cost: list[NDArray[np.float64]] = []
        self._lower: list[NDArray[np.float64]] = []
        self._upper: list[NDArray[np.float64]] = []
        self._integer: list[NDArray[np.bool_]] = []
        self._low: list[NDArray[np.float64]] = []
        self._high: list[NDArray[np.float64]] = []
        self._entries: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []

    @property
    def columns(self) -> int:
        """Return how many columns there are."""
        return self._columns

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return self._rows

    def add_columns(
        self,
        count: int,
        *,
        cost: ArrayLike = 0.0,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        integer: bool = False,
    ) -> NDArray[np.int64]:
        """Add columns and return their numbers."""
        first = self._columns
        self._columns += count
        self._cost.append(np.broadcast_to(np.asarray(cost, float), count))
        self._lower.append(np.broadcast_to(np.asarray(lower, float), count))
        self._upper.append(np.broadcast_to(np.asarray(upper, float), count))
        self._integer.append(np.full(count, integer))
        return np.arange(first, self._columns)

    def add_rows(
        self, count: int, *, low: ArrayLike = -np.inf, high: ArrayLike = np.inf
    ) -> NDArray[np.int64]:
        """Add rows and return their numbers."""
        first = self._rows
        self._rows += count
        self._low.append(np.broadcast_to(np.asarray(low, float), count))
        self._high.append(np.broadcast_to(np.asarray(high, float), count))
        return np.arange(first, self._rows)

    def add(self, rows: ArrayLike, columns: ArrayLike, values: ArrayLike = 1.0) -> None:
        """Add entries to the matrix; entries of one place add up."""
        r, c, v = np.broadcast_arrays(
            np.asarray(rows, np.int64), np.asarray(columns, np.int64), np.asarray(values, float)
        )
        self._entries.append((r.ravel(), c.ravel(), v.ravel()))

    def solve(
        self,
        *,
        threads: int = 1,
        seconds: float = 60.0,
        gap: float = 1e-2,
        solver: str = "choose",
        presolve: bool = True,
    ) -> Solved:
        """Solve it.

        Args:
            seconds: give up after that long; the best found so far is returned as "stopped".
            presolve: look for what can be left out first; many small programmes do without.
            gap: relative gap at which an integer programme is good enough.

        Raises:
            SolverError: neither an optimum nor infeasible nor out of time.
        """
        import highspy

        def joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
            return np.concatenate(parts) if parts else np.zeros(0)

        rows = np.concatenate([part[0] for part in self._entries] or [np.zeros(0, np.int64)])
        columns = np.concatenate([part[1] for part in self._entries] or [np.zeros(0, np.int64)])
        values = joined([part[2] for part in self._entries])
        order = np.lexsort((rows, columns))
        rows, columns, values = rows[order], columns[order], values[order]
        if len(rows):  # entries of one place become one
            new = np.ones(len(rows), bool)
            new[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
            if not new.all():
                values = np.add.reduceat(values, np.flatnonzero(new))
                rows, columns = rows[new], columns[new]
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._columns, self._rows
        model.col_cost_ = joined(self._cost)
        model.col_lower_, model.col_upper_ = joined(self._lower), joined(self._upper)
        model.row_lower_, model.row_upper_ = joined(self._low), joined(self._high)
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.concatenate(
            [[0], np.cumsum(np.bincount(columns, minlength=self._columns))]
        ).astype(np.int32)
        model.a_matrix_.index_ = rows.astype(np.int32)
        model.a_matrix_.value_ = values
        integer = np.concatenate(self._integer) if self._integer else np.zeros(0, bool)
        if integer.any():
            whole, part = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
            model.integrality_ = [whole if one else part for one in integer]
        highs = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, setting in (
            ("output_flag", False),
            ("threads", threads),
            ("time_limit", float(seconds)),
            ("mip_rel_gap", gap),
            ("solver", solver),
            ("presolve", "choose" if presolve else "off"),
        ):
            highs.setOptionValue(option, setting)
        highs.passModel(model)
        highs.run()
        found = highs.getModelStatus()
        states = highspy.HighsModelStatus
        hopeless = (states.kInfeasible, states.kUnboundedOrInfeasible)
        if presolve and found in hopeless:
            # Presolve takes rounding for a contradiction at times; simplex alone does not.
            highs.setOptionValue("presolve", "off")
            highs.run()
            found = highs.getModelStatus()
        if found in hopeless:
            nothing = np.zeros(0)
            return Solved("infeasible", np.inf, nothing, nothing, nothing)
        if found not in (states.kOptimal, states.kTimeLimit, states.kInterrupt):
            raise SolverError(
                gettext_noop("the solver ended as {status}"),
                status=highs.modelStatusToString(found),
            )
        solution = highs.getSolution()
        value = np.array(solution.col_value)
        if len(value) != self._columns:  # out of time before anything was found
            raise SolverError(gettext_noop("no answer within {seconds} s"), seconds=seconds)
        return Solved(
            status="optimal" if found == states.kOptimal else "stopped",
            objective=float(highs.getInfo().objective_function_value),
            value=value,
            price=np.zeros(0) if integer.any() else np.array(solution.row_dual),
            reduced=np.zeros(0) if integer.any() else np.array(solution.col_dual),
        )
