"""Input-output tables: a textbook example, NumPy's own solution, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.materials import engine


def economy(n, seed):
    rng = np.random.default_rng(seed)
    a = rng.random((n, n)) * (rng.random((n, n)) < 0.3)
    return a * (0.9 * rng.random(n) / np.maximum(a.sum(axis=0), 1e-9))


def test_worked_example_of_the_textbook():
    """Miller and Blair (2009), 2.3.2: demand 600 and 1500 gives 1247.52 and 2623.76 …"""
    a = np.array([[0.15, 0.25], [0.20, 0.05]])

    assert engine.InputOutput(a).output(np.array([600.0, 1500.0])) == pytest.approx(
        [1247.5248, 1841.5842], abs=1e-3
    )


@pytest.mark.parametrize("n", [1, 3, 127, 128, 129, 600])
def test_it_is_the_solution_of_the_equations(n):
    a = economy(n, n)
    demand = np.random.default_rng(1).random((n, 4))
    found = engine.InputOutput(a).output(demand)

    assert found == pytest.approx(np.linalg.solve(np.eye(n) - a, demand), rel=1e-10)


def test_ghosh_is_the_transposed_question():
    flows, output = np.array([[10.0, 20], [30, 5]]), np.array([100.0, 80])
    b = engine.allocation_coefficients(flows, output)
    added = output - flows.sum(axis=0)

    assert engine.ghosh(b, added) == pytest.approx(output)


def test_the_output_of_a_table_is_its_own():
    flows, demand = np.array([[10.0, 20], [30, 5]]), np.array([70.0, 45])
    output = flows.sum(axis=1) + demand
    a = engine.technical_coefficients(flows, output)

    assert engine.InputOutput(a).output(demand) == pytest.approx(output)
    assert engine.InputOutput(a).loss(demand, np.array([7.0, 0])) == pytest.approx(
        output - engine.InputOutput(a).output(demand - [7, 0])
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(0, 1000))
def test_outputs_add_up(n, seed):
    table = engine.InputOutput(economy(n, seed))
    one, other = np.random.default_rng(seed).random((2, n))

    assert table.output(one) + table.output(other) == pytest.approx(table.output(one + other))
    assert (table.output(one) >= one - 1e-9).all()


@pytest.mark.parametrize("a", [[[1.0, 0], [0, 0.5]], [[0.6, 0.9], [0.9, 0.6]], [[2.0]]])
def test_an_economy_that_eats_its_output_is_refused(a):
    with pytest.raises(engine.NotViableError, match="used up"):
        engine.InputOutput(np.array(a))


def test_bad_coefficients_are_named():
    with pytest.raises(engine.BadFigureError, match=r"row 1, column 0: -0\.1"):
        engine.InputOutput(np.array([[0.1, 0.1], [-0.1, 0.1]]))
    with pytest.raises(engine.BadFigureError, match="row 0, column 1: nan"):
        engine.InputOutput(np.array([[0.1, np.nan], [0.1, 0.1]]))
    with pytest.raises(engine.BadFigureError, match="square"):
        engine.InputOutput(np.zeros((2, 3)))
    with pytest.raises(engine.BadFigureError, match="demand has the shape"):
        engine.InputOutput(np.zeros((2, 2))).output(np.zeros(3))
