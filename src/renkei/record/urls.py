"""Addresses of the record's pages."""

from django.urls import path

from renkei.record import views

app_name = "record"
urlpatterns = [
    path("", views.index, name="index"),
    path("commitments/", views.commitments, name="commitments"),
    path("commitments.csv", views.commitments_file, {"form": "csv"}, name="commitments_csv"),
    path("commitments.json", views.commitments_file, {"form": "json"}, name="commitments_json"),
    path("charts/<str:name>.csv", views.chart_file, {"form": "csv"}, name="chart_csv"),
    path("charts/<str:name>.json", views.chart_file, {"form": "json"}, name="chart_json"),
    path("organisations/", views.organisations, name="organisations"),
    path("organisations/<str:slug>/", views.organisation, name="organisation"),
    path("sources/", views.sources, name="sources"),
    path("sources/<str:slug>/", views.source, name="source"),
    path("agreements/", views.agreements, name="agreements"),
    path("agreements/<str:slug>/", views.agreement, name="agreement"),
    path("findings/", views.findings, name="findings"),
    path("findings/<str:slug>/", views.finding, name="finding"),
    path("commitments/<str:slug>/", views.commitment, name="commitment"),
    path("add/commitment/", views.commitment_add, name="commitment_add"),
    path("add/organisation/", views.organisation_add, name="organisation_add"),
    path("add/source/", views.source_add, name="source_add"),
    path("add/finding/", views.finding_add, name="finding_add"),
    path("commitments/<str:slug>/edit/", views.commitment_edit, name="commitment_edit"),
    path("commitments/<str:slug>/claims/add/", views.claim_add, name="claim_add"),
    path(
        "commitments/<str:slug>/claims/<int:claim>/publish/",
        views.claim_publish,
        name="claim_publish",
    ),
    path("commitments/<str:slug>/roles/add/", views.participation_add, name="participation_add"),
    path(
        "commitments/<str:slug>/roles/<int:number>/edit/",
        views.participation_edit,
        name="participation_edit",
    ),
    path(
        "commitments/<str:slug>/roles/<int:number>/remove/",
        views.participation_remove,
        name="participation_remove",
    ),
    path("commitments/<str:slug>/milestones/add/", views.milestone_add, name="milestone_add"),
    path("milestones/<str:slug>/assess/", views.milestone_assess, name="milestone_assess"),
    path(
        "commitments/<str:slug>/disbursements/add/", views.disbursement_add, name="disbursement_add"
    ),
    path(
        "commitments/<str:slug>/disbursements/<int:number>/correct/",
        views.disbursement_correct,
        name="disbursement_correct",
    ),
    path("commitments/<str:slug>/outcomes/add/", views.outcome_add, name="outcome_add"),
    path(
        "commitments/<str:slug>/outcomes/<int:number>/edit/",
        views.outcome_edit,
        name="outcome_edit",
    ),
    path(
        "commitments/<str:slug>/outcomes/<int:number>/remove/",
        views.outcome_remove,
        name="outcome_remove",
    ),
    path("organisations/<str:slug>/edit/", views.organisation_edit, name="organisation_edit"),
    path("organisations/<str:slug>/remove/", views.organisation_remove, name="organisation_remove"),
    path("sources/<str:slug>/attach/", views.source_attach, name="source_attach"),
    path("findings/<str:slug>/resolve/", views.finding_resolve, name="finding_resolve"),
    path("findings/<str:slug>/reopen/", views.finding_reopen, name="finding_reopen"),
]
