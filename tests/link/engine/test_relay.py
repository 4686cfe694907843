"""Relays: disjoint paths as networkx counts them, shares, and hops that cannot be changed."""

import itertools
import os

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine

TOWNS = "abcdefgh"


@given(
    st.sets(
        st.tuples(st.sampled_from(TOWNS), st.sampled_from(TOWNS)).filter(
            lambda one: one[0] != one[1]
        )
    ),
    st.integers(1, 3),
)
def test_paths_are_disjoint_and_as_many_as_there_are(links, count):
    graph = nx.Graph([*links, ("a", "x"), ("y", "b")])
    direct = graph.has_edge("a", "b")
    most = nx.connectivity.local_node_connectivity(graph, "a", "b") if not direct else None
    try:
        paths = engine.disjoint_paths(graph.edges, "a", "b", count=count)
    except engine.NoRouteError:
        assert direct is False or count > 1
        if most is not None:
            assert most < count
        return
    assert len(paths) == count
    if most is not None:
        assert count <= most
    middle = [node for path in paths for node in path[1:-1]]
    assert len(middle) == len(set(middle))
    for path in paths:
        assert path[0] == "a"
        assert path[-1] == "b"
        assert nx.is_simple_path(graph, path)


def test_a_greedy_choice_is_taken_back():
    """The shortest path uses both towns that two disjoint paths need apart."""
    links = [("s", "a"), ("a", "b"), ("b", "t"), ("s", "b"), ("a", "t")]
    assert engine.disjoint_paths(links, "s", "t", count=2) == [["s", "a", "t"], ["s", "b", "t"]]


def test_the_rate_is_that_of_the_slowest_hop():
    rates = {("a", "b"): 9.0, ("c", "b"): 2.0}
    assert engine.route_rate(rates, ["a", "b", "c"]) == 2.0
    assert engine.route_rate(rates, ["a", "c"]) == 0.0


@given(st.binary(min_size=1, max_size=64), st.integers(1, 4))
def test_all_shares_make_the_key_and_fewer_make_nothing(key, paths):
    masks = [os.urandom(len(key)) for _ in range(paths - 1)]
    shares = engine.split(key, masks)

    assert engine.join(shares) == key
    assert shares[:-1] == masks  # what a part of the shares shows is chance


@given(st.binary(min_size=1, max_size=100), st.integers(0, 10_000))
def test_a_hop_carries_a_share_and_notices_any_change(share, at):
    pad = os.urandom(engine.hop_key_bytes(len(share)))
    hop = engine.send_hop(share, pad, about=b"route 1 hop 2")

    assert engine.receive_hop(hop, pad, about=b"route 1 hop 2") == share
    with pytest.raises(engine.TamperedError):
        engine.receive_hop(hop, pad, about=b"route 1 hop 3")
    text = bytearray(hop.text)
    text[at % len(text)] ^= 1 << at % 8
    with pytest.raises(engine.TamperedError):
        engine.receive_hop(engine.Hop(bytes(text), hop.tag), pad, about=b"route 1 hop 2")


def test_a_key_over_three_hops_and_two_paths():
    links = [("tokyo", "seoul"), ("seoul", "anchorage"), ("anchorage", "washington"),
             ("tokyo", "satellite"), ("satellite", "washington")]  # fmt: skip
    key = os.urandom(32)
    paths = engine.disjoint_paths(links, "tokyo", "washington", count=2)
    arrived, spent = [], []
    for path, share in zip(paths, engine.split(key, [os.urandom(32)]), strict=True):
        carried = share
        for hop in itertools.pairwise(path):
            pad = os.urandom(engine.hop_key_bytes(32))
            spent.append(pad)
            sent = engine.send_hop(carried, pad, about=repr(hop).encode())
            carried = engine.receive_hop(sent, pad, about=repr(hop).encode())
        arrived.append(carried)
    assert engine.join(arrived) == key
    assert len(set(spent)) == 5
    assert key not in arrived
    with pytest.raises(engine.NoRouteError, match="2 paths share no node, 3 are asked for"):
        engine.disjoint_paths(links, "tokyo", "washington", count=3)
