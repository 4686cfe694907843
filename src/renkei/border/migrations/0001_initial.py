import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('index', models.PositiveBigIntegerField()),
                ('leaf', models.BinaryField()),
                ('data', models.BinaryField()),
                ('type', models.CharField(max_length=100)),
                ('uid', models.CharField(max_length=100)),
                ('record', models.CharField(max_length=200)),
                ('fate', models.CharField(choices=[('applied', 'applied'), ('waiting', 'waiting for what it refers to'), ('quarantined', 'dated in the future'), ('unknown', 'of an unknown type: kept, not applied'), ('refused', 'refused'), ('invalid', 'not a valid statement')], max_length=11)),
                ('why', models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name='Nonce',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=300, unique=True)),
                ('expires', models.PositiveBigIntegerField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Peer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=31, unique=True)),
                ('identity', models.JSONField()),
                ('cosigned', models.PositiveBigIntegerField(default=0)),
                ('heard_at', models.DateTimeField(blank=True, null=True)),
                ('proven_at', models.DateTimeField(blank=True, null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('failure', models.TextField(blank=True)),
                ('clock_skew_seconds', models.FloatField(default=0.0)),
            ],
        ),
        migrations.CreateModel(
            name='Act',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.CharField(max_length=100, unique=True)),
                ('kind', models.CharField(max_length=100)),
                ('record', models.CharField(db_index=True, max_length=200)),
                ('parent', models.CharField(blank=True, max_length=64)),
                ('content', models.JSONField()),
                ('content_hash', models.CharField(max_length=64)),
                ('home', models.CharField(max_length=200)),
                ('parties', models.JSONField()),
                ('expires', models.CharField(max_length=20)),
                ('stage', models.CharField(choices=[('proposed', 'proposed'), ('approved', 'approved by every party'), ('sealed', 'sealed'), ('rejected', 'rejected'), ('expired', 'expired'), ('superseded', 'another version was sealed first')], max_length=10)),
                ('reason', models.TextField()),
                ('version', models.CharField(blank=True, max_length=64)),
                ('failure', models.TextField(blank=True)),
                ('witnessed_at', models.DateTimeField(blank=True, null=True)),
                ('proposal', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='act_proposed', to='border.entry')),
                ('seal', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='act_sealed', to='border.entry')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('stage__in', ['proposed', 'approved', 'sealed', 'rejected', 'expired', 'superseded'])), name='border_act_stage'), models.CheckConstraint(condition=models.Q(models.Q(('seal__isnull', False), ('stage', 'sealed')), models.Q(models.Q(('stage', 'sealed'), _negated=True), ('seal', None)), _connector='OR'), name='border_act_sealed_has_seal'), models.UniqueConstraint(condition=models.Q(('stage', 'sealed')), fields=('record', 'parent'), name='border_act_one_seal_a_version', violation_error_message='This version of the record has a successor already.')],
            },
        ),
        migrations.CreateModel(
            name='Log',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin', models.CharField(max_length=200, unique=True)),
                ('name', models.CharField(max_length=31, unique=True)),
                ('party', models.CharField(max_length=2)),
                ('is_own', models.BooleanField(default=False)),
                ('size', models.PositiveBigIntegerField(default=0)),
                ('frontier', models.BinaryField()),
                ('published', models.PositiveBigIntegerField(default=0)),
                ('exported', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_own', True)), fields=('is_own',), name='border_log_one_own'), models.CheckConstraint(condition=models.Q(('exported__lte', models.F('size'))), name='border_log_exported_is_saved', violation_error_message='Tiles are made of saved entries alone.')],
            },
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('fork', 'a log was rewritten'), ('two_seals', 'two seals on one version'), ('rollback', 'own log behind what a partner cosigned'), ('damage', 'damaged bytes'), ('repaired', 'damaged bytes, repaired from the mirror'), ('bad_statement', 'an entry that is no valid statement'), ('refused', 'a statement that could not be applied'), ('bad_answer', 'an answer that could not be used'), ('clock', 'clocks differ'), ('key', 'a key was changed or revoked')], max_length=15)),
                ('said', models.JSONField()),
                ('evidence', models.BinaryField(blank=True, null=True)),
                ('key', models.CharField(max_length=300, unique=True)),
                ('seen', models.PositiveIntegerField(default=1)),
                ('at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('closed_by', models.CharField(blank=True, max_length=150)),
                ('closed_why', models.TextField(blank=True)),
                ('log', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='border.log')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['fork', 'two_seals', 'rollback', 'damage', 'repaired', 'bad_statement', 'refused', 'bad_answer', 'clock', 'key'])), name='border_incident_kind')],
            },
        ),
        migrations.AddField(
            model_name='entry',
            name='log',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='border.log'),
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('size', models.PositiveBigIntegerField()),
                ('root', models.BinaryField()),
                ('note', models.BinaryField()),
                ('is_witnessed', models.BooleanField(default=False)),
                ('signed_at', models.DateTimeField()),
                ('witnessed_at', models.DateTimeField(blank=True, null=True)),
                ('log', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='checkpoints', to='border.log')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_witnessed', True)), fields=['log', '-size'], name='border_checkpoint_proven')],
                'constraints': [models.UniqueConstraint(fields=('log', 'size'), name='border_checkpoint_once'), models.CheckConstraint(condition=models.Q(models.Q(('is_witnessed', True), ('witnessed_at__isnull', False)), models.Q(('is_witnessed', False), ('witnessed_at', None)), _connector='OR'), name='border_checkpoint_witnessed_has_time')],
            },
        ),
        migrations.CreateModel(
            name='Node',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.PositiveSmallIntegerField()),
                ('index', models.PositiveBigIntegerField()),
                ('hash', models.BinaryField()),
                ('log', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='nodes', to='border.log')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('log', 'level', 'index'), name='border_node_once')],
            },
        ),
        migrations.CreateModel(
            name='Private',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('commitment', models.CharField(max_length=64, unique=True)),
                ('origin', models.CharField(blank=True, max_length=200)),
                ('recipients', models.JSONField(default=list)),
                ('state', models.CharField(choices=[('held', 'held here'), ('wanted', 'not fetched yet'), ('erased', 'erased')], max_length=6)),
                ('salt', models.BinaryField(null=True)),
                ('content', models.BinaryField(null=True)),
                ('erased_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('content__isnull', False), ('erased_at', None), ('salt__isnull', False), ('state', 'held')), models.Q(('content', None), ('erased_at', None), ('salt', None), ('state', 'wanted')), models.Q(('content', None), ('erased_at__isnull', False), ('salt', None), ('state', 'erased')), _connector='OR'), name='border_private_whole', violation_error_message='Content is erased together with its salt.')],
            },
        ),
        migrations.CreateModel(
            name='Witnessed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('size', models.PositiveBigIntegerField()),
                ('root', models.BinaryField()),
                ('note', models.BinaryField()),
                ('signed', models.PositiveBigIntegerField()),
                ('log', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='witnessed', to='border.log')),
            ],
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('party', models.CharField(max_length=2)),
                ('is_approval', models.BooleanField(default=True)),
                ('officer', models.CharField(max_length=64)),
                ('act', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='border.act')),
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='approval', to='border.entry')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('act', 'party'), name='border_approval_once')],
            },
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('record', ''), _negated=True), fields=['record'], name='border_entry_record'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('fate__in', ['waiting', 'quarantined'])), fields=['fate'], name='border_entry_pending'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('fate__in', ['refused', 'invalid', 'unknown'])), fields=['log', 'index'], name='border_entry_trouble'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(fields=('log', 'index'), name='border_entry_once'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('fate__in', ['applied', 'waiting', 'quarantined', 'unknown', 'refused', 'invalid'])), name='border_entry_fate'),
        ),
    ]
