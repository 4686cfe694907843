"""The shipped registry, loaded once for a module; each test is a savepoint inside."""

import pytest


@pytest.fixture(scope="module")
def _registry_for_module(django_db_setup, django_db_blocker):
    from django.db import transaction

    from renkei.materials import door

    with django_db_blocker.unblock(), transaction.atomic():
        door.ensure_shipped()
        yield
        transaction.set_rollback(True)


@pytest.fixture
def registry(_registry_for_module, db):
    """Give a test the shipped registry; what the test changes is undone."""
    from renkei.base.http import page_cache

    page_cache.clear()


@pytest.fixture
def analyst(person):
    return person("analyst", name="analyst")
