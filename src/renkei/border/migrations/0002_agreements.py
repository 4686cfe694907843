import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("base", "__first__"),
        ("border", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Agreement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.CharField(max_length=200, unique=True)),
                ("slug", models.CharField(max_length=80, unique=True)),
                ("home", models.CharField(blank=True, max_length=31)),
            ],
        ),
        migrations.CreateModel(
            name="AgreementVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("proposed", "Proposed"),
                            ("in_force", "In force"),
                            ("replaced", "Replaced"),
                        ],
                        default="draft",
                        max_length=8,
                    ),
                ),
                ("document", models.JSONField()),
                ("digest", models.CharField(db_index=True, max_length=64)),
                ("title_en", models.CharField(max_length=300)),
                ("title_ja", models.CharField(max_length=300)),
                ("assigner", models.CharField(max_length=200)),
                ("assignees", models.JSONField()),
                ("targets", models.JSONField()),
                ("concluded_at", models.DateTimeField()),
                ("act", models.CharField(blank=True, max_length=100)),
                ("drafted_at", models.DateTimeField()),
                ("adopted_at", models.DateTimeField(blank=True, null=True)),
                ("replaced_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="border.agreement",
                    ),
                ),
                (
                    "drafted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["draft", "proposed", "in_force", "replaced"])
                        ),
                        name="border_version_known_state",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "in_force")),
                        fields=("agreement",),
                        name="border_version_one_in_force",
                        violation_error_message="One version of an agreement is in force at a time.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "draft")),
                        fields=("agreement",),
                        name="border_version_one_draft",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("act", ""),
                                ("adopted_at", None),
                                ("state__in", ["draft", "proposed"]),
                            ),
                            models.Q(
                                ("adopted_at__isnull", False),
                                ("state__in", ["in_force", "replaced"]),
                                models.Q(("act", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="border_version_in_force_has_act",
                        violation_error_message="What is in force came from a joint act.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("replaced_at__isnull", False), ("state", "replaced")),
                            models.Q(
                                models.Q(("state", "replaced"), _negated=True),
                                ("replaced_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="border_version_replaced_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Clause",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=40)),
                ("kind", models.CharField(max_length=12)),
                ("action", models.CharField(max_length=200)),
                ("text_en", models.TextField()),
                ("text_ja", models.TextField()),
                ("hash_en", models.CharField(max_length=64)),
                ("hash_ja", models.CharField(max_length=64)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="clauses",
                        to="border.agreementversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("version", "name"), name="border_clause_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("text_en", ""), _negated=True),
                            models.Q(("text_ja", ""), _negated=True),
                        ),
                        name="border_clause_both_texts",
                        violation_error_message="A clause has a text in English and one in Japanese.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["permission", "prohibition", "obligation"])
                        ),
                        name="border_clause_known_kind",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ClauseUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("clause", models.CharField(max_length=40)),
                ("times", models.PositiveBigIntegerField(default=0)),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="border.agreement",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agreement", "clause"), name="border_clause_use_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                ("action", models.CharField(max_length=200)),
                ("target", models.CharField(db_index=True, max_length=200)),
                ("recipient", models.CharField(max_length=200)),
                ("recipient_party", models.CharField(blank=True, max_length=200)),
                ("purpose", models.CharField(blank=True, max_length=200)),
                ("spatial", models.CharField(blank=True, max_length=200)),
                ("classification", models.CharField(blank=True, max_length=200)),
                ("output_type", models.CharField(blank=True, max_length=200)),
                ("allow", models.BooleanField()),
                ("clause", models.CharField(blank=True, max_length=40)),
                ("agreement_hash", models.CharField(blank=True, max_length=64)),
                ("policy_version", models.CharField(max_length=64)),
                ("why", models.JSONField()),
                ("trace", models.JSONField()),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="border.agreementversion",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["recipient", "id"], name="border_decision_who")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("allow", False),
                            models.Q(
                                ("version__isnull", False),
                                models.Q(("clause", ""), _negated=True),
                                models.Q(("agreement_hash", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="border_decision_allowed_by_a_clause",
                        violation_error_message="A clause of an agreement allows; nothing else does.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Obligation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("clause", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=40)),
                ("action", models.CharField(max_length=8)),
                ("target", models.CharField(blank=True, max_length=200)),
                ("debtor", models.CharField(max_length=200)),
                ("party", models.CharField(max_length=200)),
                ("due_at", models.DateTimeField(db_index=True)),
                ("fulfilled_at", models.DateTimeField(blank=True, null=True)),
                ("evidence", models.TextField(blank=True)),
                (
                    "decision",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="obligations",
                        to="border.decision",
                    ),
                ),
                (
                    "fulfilled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="obligations",
                        to="border.agreementversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("action__in", ["delete", "report"])),
                        name="border_obligation_known_action",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("evidence", ""), ("fulfilled_at", None)),
                            models.Q(
                                ("fulfilled_at__isnull", False),
                                models.Q(("evidence", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="border_obligation_fulfilled_with_evidence",
                        violation_error_message="What is fulfilled says how.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("decision", None)),
                        fields=("version", "clause", "name", "party"),
                        name="border_obligation_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OutgoingBytes",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                ("clause", models.CharField(max_length=40)),
                ("digest", models.CharField(db_index=True, max_length=64)),
                ("size", models.PositiveBigIntegerField()),
                ("target", models.CharField(max_length=200)),
                ("recipient", models.CharField(max_length=200)),
                ("recipient_party", models.CharField(max_length=200)),
                ("channel", models.CharField(max_length=80)),
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="release",
                        to="border.decision",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="border.agreementversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("digest__regex", "^[0-9a-f]{64}$"),
                            ("size__gte", 0),
                            models.Q(("clause", ""), _negated=True),
                        ),
                        name="border_outgoing_is_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("recipient", ""), _negated=True),
                            models.Q(("recipient_party", ""), _negated=True),
                        ),
                        name="border_outgoing_has_recipient",
                    ),
                ],
            },
        ),
    ]
