"""Whose customs reported a flow, and bounds that are no quantities."""

from django.db import migrations, models
from django.db.models import F


def forwards(apps, _schema_editor):
    observation = apps.get_model("materials", "Observation")
    observation.objects.filter(qualifier__in=("<", ">")).update(
        bound=F("quantity"), quantity=None, tonnes=None
    )
    # Until now a reported flow said no reporter; what the project ships is seen from the exporter.
    flow = apps.get_model("materials", "Flow")
    flow.objects.filter(release__publisher__in=("comtrade", "customs")).update(
        reporter=F("exporter")
    )


def backwards(apps, _schema_editor):
    observation = apps.get_model("materials", "Observation")
    observation.objects.filter(qualifier__in=("<", ">")).update(quantity=F("bound"))


class Migration(migrations.Migration):
    dependencies = [("materials", "0005_joint_runs")]

    operations = [
        migrations.AddField(
            model_name="observation",
            name="bound",
            field=models.FloatField(
                blank=True, help_text="of “<5” and “>95”, which are no quantities", null=True
            ),
        ),
        migrations.AddField(
            model_name="flow",
            name="reporter",
            field=models.CharField(
                blank=True,
                default="",
                help_text="whose customs said so; empty: both sides were reconciled",
                max_length=3,
            ),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(
            model_name="observation", name="materials_observation_no_number_from_a_word"
        ),
        migrations.RemoveConstraint(model_name="flow", name="materials_flow_once"),
        migrations.RunPython(forwards, backwards),
        migrations.AddConstraint(
            model_name="observation",
            constraint=models.CheckConstraint(
                condition=~models.Q(qualifier__in=("<", ">", "NA", "W", "E", "XX", "words"))
                | models.Q(quantity=None, tonnes=None),
                name="materials_observation_no_number_from_a_word",
            ),
        ),
        migrations.AddConstraint(
            model_name="observation",
            constraint=models.CheckConstraint(
                condition=models.Q(bound=None) | models.Q(qualifier__in=("<", ">")),
                name="materials_observation_bound_with_its_sign",
            ),
        ),
        migrations.AddConstraint(
            model_name="flow",
            constraint=models.UniqueConstraint(
                condition=models.Q(known_to=None),
                fields=(
                    "code",
                    "exporter",
                    "importer",
                    "valid_from",
                    "valid_to",
                    "basis",
                    "reporter",
                ),
                name="materials_flow_once",
            ),
        ),
    ]
