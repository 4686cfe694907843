"""What lists and the dashboard read by: indexes, and the day of a drawing."""

from typing import ClassVar

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("record", "0002_search"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="drawing",
            name="drawn_on",
            field=models.DateField(default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="commitment",
            index=models.Index(
                fields=["amount_nature", "-updated_at", "-id"], name="record_commitment_nature"
            ),
        ),
        migrations.AddIndex(
            model_name="milestone",
            index=models.Index(fields=["state", "due_last"], name="record_milestone_due"),
        ),
    ]
