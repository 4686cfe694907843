"""Input-output tables as a quick view of sectors: Leontief and Ghosh, factored once.

``I - A`` of a viable economy has columns that sum to more than 0 with all else below 0: such a
matrix is factored without pivots, block by block, by NumPy's matrix product alone. The factors
are kept in single precision; every answer is refined in double precision until it is exact to
eleven places.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import BadFigureError

_BLOCK: Final = 128
_MOST_REFINEMENTS: Final = 20
ACCURACY: Final = 1e-11  # of the largest output: what an answer may be off by


class NotViableError(RenkeiError):
    """Making one unit of something takes more than one unit of everything in it."""

    code = "materials.not_viable"


class InputOutput:
    """An economy of sectors, factored once for any number of scenarios.

    Args:
        coefficients: what the row's sector delivers for one unit of the column's output, shape
            (sectors, sectors), each at least 0; see ``technical_coefficients``.

    Raises:
        BadFigureError: a coefficient below 0 or not a number, with its row and column.
        NotViableError: no output can meet a demand.
    """

    def __init__(self, coefficients: NDArray[np.float64]) -> None:
        a = np.ascontiguousarray(coefficients, dtype=np.float64)
        if a.ndim != 2 or a.shape[0] != a.shape[1]:
            raise BadFigureError(
                gettext_noop("coefficients have the shape {shape}: expected a square"),
                shape=a.shape,
            )
        if not (a.min(initial=0.0) >= 0 and a.max(initial=0.0) < np.inf):
            row, column = (int(at) for at in np.argwhere(~(np.isfinite(a) & (a >= 0)))[0])
            raise BadFigureError(
                gettext_noop("row {row}, column {column}: {value}: expected 0 or more"),
                row=row,
                column=column,
                value=float(a[row, column]),
            )
        self.coefficients = a
        self._factors, self._inverses = _factor(a)

    def output(self, demand: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x with x = A x + demand, shape as ``demand``: (sectors,) or (sectors, scenarios).

        Source: Leontief; Miller and Blair, Input-Output Analysis (2009), 2.3.
        """
        y = np.asarray(demand, np.float64)
        columns = y[:, None] if y.ndim == 1 else y
        if columns.shape[0] != len(self.coefficients) or not np.isfinite(columns).all():
            raise BadFigureError(
                gettext_noop("demand has the shape {shape}: expected {sectors} finite rows"),
                shape=y.shape,
                sectors=len(self.coefficients),
            )
        x = self._solve(columns)
        last = float(np.abs(x).max(initial=0.0))
        for _ in range(_MOST_REFINEMENTS):
            step = self._solve(columns - x + self.coefficients @ x)
            x += step
            size = float(np.abs(step).max(initial=0.0))
            # Steps shrink by one factor: if the next is too small to matter, it need not be taken.
            if size * (size / last if last > 0 else 0.0) <= ACCURACY * np.abs(x).max(initial=0.0):
                break
            last = size
        return x.reshape(y.shape)

    def loss(self, demand: NDArray[np.float64], lost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the output that is not needed when ``lost`` of a final demand disappears."""
        return self.output(np.minimum(np.asarray(lost, float), np.asarray(demand, float)))

    def _solve(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        n = len(self.coefficients)
        size = np.abs(columns).max(axis=0)
        size[size == 0] = 1.0
        x = (columns / size).astype(np.float32)
        for begin in range(0, n, _BLOCK):
            end = min(begin + _BLOCK, n)
            x[end:] -= self._factors[end:, begin:end] @ x[begin:end]
        for number, begin in reversed(list(enumerate(range(0, n, _BLOCK)))):
            end = min(begin + _BLOCK, n)
            x[begin:end] -= self._factors[begin:end, end:] @ x[end:]
            x[begin:end] = self._inverses[number] @ x[begin:end]
        found: NDArray[np.float64] = x.astype(np.float64) * size
        return found


def technical_coefficients(
    flows: NDArray[np.float64], output: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return A of a table of flows: each column divided by its sector's output (0 where none)."""
    x = np.asarray(output, np.float64)
    a: NDArray[np.float64] = np.divide(flows, x, where=x > 0, out=np.zeros(flows.shape))
    return a


def allocation_coefficients(
    flows: NDArray[np.float64], output: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return B of a table of flows: each row divided by its sector's output (0 where none)."""
    return technical_coefficients(np.ascontiguousarray(flows.T), output).T


def ghosh(allocation: NDArray[np.float64], value_added: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x with x' = x' B + v': what primary inputs let each sector make.

    Source: Ghosh, Economica 25 (1958) 58; Miller and Blair (2009), 12.1.
    """
    return InputOutput(np.ascontiguousarray(allocation.T)).output(value_added)


def _factor(
    coefficients: NDArray[np.float64],
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return the blocks of L and U of I - A in one array, and the inverses of U's diagonal blocks.

    Raises:
        NotViableError: a diagonal block has no inverse that is 0 or more everywhere, as those of
            a viable economy have (Miller and Blair (2009), 2.4: the Hawkins-Simon conditions).
    """
    n = len(coefficients)
    work = np.empty((n, n), np.float32)
    np.negative(coefficients, out=work, casting="same_kind")
    work.flat[:: n + 1] += 1
    inverses = []
    for begin in range(0, n, _BLOCK):
        end = min(begin + _BLOCK, n)
        # Crout's order: every block is brought up to date once, by products of long panels.
        work[begin:, begin:end] -= work[begin:, :begin] @ work[:begin, begin:end]
        work[begin:end, end:] -= work[begin:end, :begin] @ work[:begin, end:]
        try:
            exact = np.linalg.inv(work[begin:end, begin:end].astype(np.float64))
        except np.linalg.LinAlgError:
            exact = np.full((end - begin, end - begin), np.nan)
        # Single precision leaves noise around 0; what is not viable is far below it.
        noise = 1e-5 * np.abs(exact).max()
        if not (np.isfinite(exact).all() and (exact >= -noise).all()):
            raise NotViableError(
                gettext_noop(
                    "sectors {first} to {last}: their output is used up in making it; expected"
                    " coefficients that leave something for final demand"
                ),
                first=begin,
                last=end - 1,
            )
        inverses.append(exact.astype(np.float32))
        work[end:, begin:end] = work[end:, begin:end] @ inverses[-1]
    return work, inverses
