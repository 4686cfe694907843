"""Mark the statements about keys, so that they are found among a million others at once."""

from typing import Any, ClassVar

from django.db import migrations, models

KEY_TYPES = ("border.node.founded", "border.key.rotated", "border.key.revoked")


def _mark(apps: Any, _editor: Any) -> None:
    apps.get_model("border", "Entry").objects.filter(type__in=KEY_TYPES).update(is_about_keys=True)


class Migration(migrations.Migration):
    """One column and its index."""

    dependencies: ClassVar = [("border", "0002_agreements")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="entry",
            name="is_about_keys",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(_mark, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                fields=["log", "index"],
                name="border_entry_keys",
                condition=models.Q(("is_about_keys", True)),
            ),
        ),
    ]
