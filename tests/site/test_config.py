"""``node.toml``: what is read is what was written; what cannot be used is named."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.site import config
from renkei.site.config import Listen, NodeConfig, NodeConfigError, Partner, SignIn

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.from_regex(config.NAME, fullmatch=True)
PARTIES = st.from_regex(config.PARTY, fullmatch=True)
PORTS = st.lists(st.integers(1, config.HIGHEST_PORT), min_size=3, max_size=3, unique=True)


@st.composite
def nodes(draw: st.DrawFn) -> NodeConfig:
    """Return any node that may be."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    web, bulk, etsi014 = draw(PORTS)
    return NodeConfig(
        folder=Path("/somewhere"),
        name=names[0],
        party=draw(PARTIES),
        programme=draw(NAMES),
        hosts=tuple(draw(st.lists(TEXT, max_size=3))),
        secure=draw(st.booleans()),
        demonstration=draw(st.booleans()),
        max_upload_mib=draw(st.integers(1, 1024)),
        listen=Listen(host=draw(TEXT), web=web, bulk=bulk, etsi014=etsi014),
        sign_in=SignIn(oidc_name=draw(TEXT), oidc_issuer=draw(TEXT), oidc_client_id=draw(TEXT)),
        partners=tuple(
            Partner(name=name, party=draw(PARTIES), address=f"https://{name}.example/a")
            for name in names[1:]
        ),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a whole node."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "web-secret").write_text("x" * 50)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "node.toml").write_text('name = "us"\nparty = "US"\n')
    return tmp_path


@given(node=nodes())
def test_what_was_written_is_read(
    node: NodeConfig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("node")
    (folder / "keys").mkdir()
    (folder / "keys" / "web-secret").write_text("x" * 50)
    (folder / "blobs").mkdir()
    (folder / "node.toml").write_text(config.dump(node), "utf-8")

    assert config.load(folder) == replace(node, folder=folder.resolve())


def test_a_node_of_two_lines_has_the_defaults(folder: Path) -> None:
    node = config.load(folder)

    assert (node.listen.web, node.partners, node.demonstration) == (8801, (), False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nam = "us"\nparty = "US"', "unknown key 'nam'; did you mean 'name'"),
        (
            'name = "us"\nparty = "US"\n[listen]\nwebb = 1',
            "listen: unknown key 'webb'; did you mean 'web'",
        ),
        (
            'name="us"\nparty="US"\n[[partners]]\nname="jp"\nparty="JP"\naddres="http://a"',
            r"partners\[0\]: unknown key 'addres'; did you mean 'address'",
        ),
        ('name = "us"', "party is missing"),
        ('party = "US"\n[[partners]]\nname = "jp"', "address is missing"),
        ('name = "us"\nparty = "US"\nsecure = "yes"', "'yes' is not bool"),
        ('name = "us"\nparty = "US"\nsecure = 1', "1 is not bool"),
        ('name = "us"\nparty = "US"\nhosts = [1]', r"hosts\[0\]: 1 is not str"),
        ('name = "us"\nparty = "US"\nmax_upload_mib = true', "True is not int"),
        ('name = "us"\nparty = "US"\nmax_upload_mib = 0', "within 1 to 1024"),
        ('name = "US"\nparty = "US"', "lower-case letters"),
        ('name = "us"\nparty = "USA"', "two-letter country code"),
        ('name = "us"\nparty = "US"\n[listen]\nweb = 0', "must be different and within"),
        ('name = "us"\nparty = "US"\n[listen]\nweb = 65536', "must be different and within"),
        ('name = "us"\nparty = "US"\n[listen]\nweb = 8811', "must be different and within"),
        (
            'name="us"\nparty="US"\n[[partners]]\nname="us"\nparty="JP"\naddress="http://a"',
            "partner 'us'",
        ),
        (
            'name="us"\nparty="US"\n[[partners]]\nname="jp"\nparty="JP"\naddress="ftp://a"',
            "'ftp://a' is not a web address",
        ),
        ("name = ", "is not TOML"),
        ("\x00", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_named(folder: Path, text: str, said: str) -> None:
    (folder / "node.toml").write_text(text)

    with pytest.raises(NodeConfigError, match=said):
        config.load(folder)


def test_bytes_that_are_no_text_are_refused(folder: Path) -> None:
    (folder / "node.toml").write_bytes(b'name = "\xff"')

    with pytest.raises(NodeConfigError, match="is not TOML"):
        config.load(folder)


@pytest.mark.parametrize("missing", ["keys/web-secret", "blobs"])
def test_a_half_made_node_is_named_by_what_is_missing(folder: Path, missing: str) -> None:
    there = folder / missing
    there.rmdir() if there.is_dir() else there.unlink()

    with pytest.raises(NodeConfigError, match=f"half made: {missing} is missing"):
        config.load(folder)


def test_a_folder_without_a_node_names_the_command_that_founds_one(tmp_path: Path) -> None:
    with pytest.raises(NodeConfigError, match="renkei node init"):
        config.load(tmp_path)
