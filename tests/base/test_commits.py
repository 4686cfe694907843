"""How long a commit waits for the disk."""

import pytest
from django.db import connection, transaction

from renkei.base.commits import losable
from renkei.base.models import ApiToken


def level():
    with connection.cursor() as cursor:
        cursor.execute(
            "PRAGMA synchronous" if connection.vendor == "sqlite" else "SHOW synchronous_commit"
        )
        return str(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_only_what_is_losable_does_not_wait():
    usual = level()
    with losable(), transaction.atomic():
        inside = level()
        assert not ApiToken.objects.exists()
    assert (usual, inside) in {("2", "1"), ("on", "off")}
    assert level() == usual
    with pytest.raises(ZeroDivisionError), losable():
        _ = 1 / 0
    assert level() == usual


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_waits_goes_on_waiting():
    usual = level()
    with transaction.atomic(), losable():
        assert level() == usual
    assert level() == usual
