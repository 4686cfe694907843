"""Few fixtures for everybody: a node's folder before Django loads, people, a clock."""

import os
import secrets
import tempfile
from pathlib import Path

NODE = Path(tempfile.mkdtemp(prefix="renkei-test-"))


def _found_node(folder: Path) -> None:
    (folder / "keys").mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "keys" / "web-secret").write_text(secrets.token_urlsafe(50))
    (folder / "node.toml").write_text(
        'name = "us"\nparty = "US"\nhosts = ["testserver", "127.0.0.1", "localhost"]\n'
        '[[partners]]\nname = "jp"\nparty = "JP"\naddress = "http://127.0.0.1:8802"\n'
    )


# The settings read the node's folder when they are imported, which pytest-django does early.
_found_node(NODE)
os.environ["RENKEI_NODE"] = str(NODE)
os.environ["DJANGO_SETTINGS_MODULE"] = "renkei.site.settings"
