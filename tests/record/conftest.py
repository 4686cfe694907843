"""The record that the project ships, loaded once for a module and undone after it."""

import pytest
from django.db import transaction

from renkei.base.http import page_cache
from renkei.record import door


@pytest.fixture(scope="module")
def _shipped_for_module(django_db_setup, django_db_blocker):
    """Hold a transaction open around the module: each test is a savepoint inside it."""
    with django_db_blocker.unblock(), transaction.atomic():
        door.ensure_shipped()
        yield
        transaction.set_rollback(True)


@pytest.fixture
def shipped(_shipped_for_module, db):
    """Give a test the shipped record; what the test changes is undone."""
    # Tests that undo their changes reach the same version with other facts.
    page_cache.clear()
