"""Few fixtures for everybody: a node's folder before Django loads, people, a clock."""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (  # no call home of the browser itself
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _found_node(folder: Path) -> None:
    (folder / "keys").mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "cache" / "static").mkdir(parents=True)
    (folder / "keys" / "web-secret").write_text(secrets.token_urlsafe(50))
    (folder / "node.toml").write_text(
        'name = "us"\nparty = "US"\nhosts = ["testserver", "127.0.0.1", "localhost"]\n'
        '[[partners]]\nname = "jp"\nparty = "JP"\naddress = "http://127.0.0.1:8802"\n'
    )


# pytest-django reads the settings before this file when the environment names them: the tests
# would then run on somebody's real node. Workers of xdist share the node of their parent.
if "RENKEI_TEST_NODE" not in os.environ:
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        raise SystemExit("unset DJANGO_SETTINGS_MODULE and RENKEI_NODE: tests found their own node")
    NODE = Path(tempfile.mkdtemp(prefix="renkei-test-"))
    _found_node(NODE)
    atexit.register(shutil.rmtree, NODE, ignore_errors=True)
    os.environ["RENKEI_NODE"] = os.environ["RENKEI_TEST_NODE"] = str(NODE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "renkei.site.settings"

import django  # noqa: E402

django.setup()

# Django can be imported from here on.
import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is no defect
hypothesis.settings.load_profile("suite")
if os.environ.get("TEST_SEED") != "random":
    # Hypothesis also tries the constants of whatever modules are loaded, and which those are
    # depends on the files that a worker happened to get: one seed gave other examples each time.
    from hypothesis.internal.conjecture import providers

    assert callable(providers._get_local_constants)
    providers._get_local_constants = providers.Constants


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with the files that take longest: workers that share files then end together."""
    longest = ("test_border.py", "test_up.py", "test_docs_run.py", "test_link.py")

    def place(item):
        if item.path.parent.name != "system":
            return len(longest) + 1
        return longest.index(item.path.name) if item.path.name in longest else len(longest)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _plain_static_files(settings):
    """Find static files where they are: nothing is collected in tests.

    Each is looked for when it is asked for: else every client would begin by reading them all.
    """
    settings.WHITENOISE_AUTOREFRESH = True
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture(autouse=True)
def _default_language():
    """Leave no language behind that a test's request chose."""
    yield
    from django.utils import translation

    translation.deactivate()


@pytest.fixture(autouse=True)
def _empty_caches():
    """Keep one test's pages and counted attempts out of the next one's."""
    from django.core.cache import cache

    from renkei.base.http import page_cache

    page_cache.clear()
    cache.clear()


@pytest.fixture(scope="session")
def hashed():
    """Return a password as the database keeps it: hashing it takes a fifth of a second."""
    from django.contrib.auth.hashers import make_password

    return make_password("a long word 7")


@pytest.fixture
def person(db, hashed):
    """Return a maker of people with roles for this node's party, all with one password."""
    from renkei.base.models import Grant, User

    def make(*roles, party="US", name=None):
        count = User.objects.count()
        user = User.objects.create(username=name or f"person{count}", password=hashed)
        Grant.objects.bulk_create(Grant(user=user, party=party, role=role) for role in roles)
        return user

    return make


@pytest.fixture
def officer(person):
    """Return an officer of this node's party."""
    return person("officer", name="officer")


@pytest.fixture
def record(db):
    """Load the record that the project ships."""
    from renkei.record import door

    door.ensure_shipped()


@pytest.fixture(scope="module")
def _shipped_for_module(django_db_setup, django_db_blocker):
    """Hold a transaction open around the module: each test is a savepoint inside it."""
    from django.db import transaction

    from renkei.record import door

    with django_db_blocker.unblock(), transaction.atomic():
        door.ensure_shipped()
        yield
        transaction.set_rollback(True)


@pytest.fixture
def shipped(_shipped_for_module, db):
    """Give a test the shipped record; what the test changes is undone."""
    from renkei.base.http import page_cache

    # Tests that undo their changes reach the same version with other facts.
    page_cache.clear()


@pytest.fixture(scope="session")
def chromium():
    """Start the browser once."""
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread, and Django would take that for asynchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
