"""Which nodes a command works on."""

from pathlib import Path

import pytest

from renkei.base.node import Nodes, NoNodeError


def found(var, name, port):
    (var / name).mkdir(parents=True)
    (var / name / "node.toml").write_text(f"[listen]\nweb = {port}\n")


@pytest.fixture
def entered():
    return []


@pytest.fixture
def nodes(entered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Nodes(enter=entered.append)


def test_nodes_come_in_the_order_of_their_ports(nodes):
    for name, port in (("jp", 8802), ("us", 8801), ("at", 8803)):
        found(Path("var"), name, port)
    assert nodes.under(Path("var")) == [Path("var/us"), Path("var/jp"), Path("var/at")]


def test_a_named_node_is_the_only_one(nodes):
    found(Path("var"), "us", 8801)
    named = Nodes(enter=nodes.enter, named=Path("elsewhere"))
    assert named.under(Path("var")) == [Path("elsewhere")]


def test_inside_a_node_it_is_meant(nodes):
    found(Path("var"), "us", 8801)
    Path("node.toml").touch()
    assert nodes.under(Path("var")) == [Path()]


def test_no_node_is_said(nodes):
    with pytest.raises(NoNodeError, match="no node under var"):
        nodes.under(Path("var"))


def test_a_broken_node_is_still_found(nodes):
    Path("var/us").mkdir(parents=True)
    Path("var/us/node.toml").write_text("[[[")
    assert nodes.under(Path("var")) == [Path("var/us")]
