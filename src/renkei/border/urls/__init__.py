"""Addresses of the border: its pages here, what other people's protocols fix in ``root``."""

from django.urls import path

from renkei.border import views

app_name = "border"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("acts/", views.acts, name="acts"),
    path("acts/propose/<str:kind>/", views.act_propose, name="act_propose"),
    path("acts/<str:uid>/", views.act, name="act"),
    path("acts/<str:uid>/answer/", views.act_answer, name="act_answer"),
    path("acts/<str:uid>/receipt.json", views.act_receipt, name="act_receipt"),
    path("incidents/", views.incidents, name="incidents"),
    path("incidents/<int:pk>/", views.incident, name="incident"),
    path("incidents/<int:pk>/evidence", views.evidence, name="evidence"),
    path("verify/", views.verify, name="verify"),
    path("agreements/", views.agreements, name="agreements"),
    path("agreements/draft/", views.agreement_draft, name="agreement_draft"),
    path("agreements/ask/", views.agreement_ask, name="agreement_ask"),
    path("agreements/<slug:slug>/", views.agreement, name="agreement"),
    path("agreements/<slug:slug>/draft/", views.agreement_draft, name="agreement_amend"),
    path("agreements/<slug:slug>/propose/", views.agreement_propose, name="agreement_propose"),
    path("agreements/<slug:slug>/discard/", views.agreement_discard, name="agreement_discard"),
    path(
        "agreements/<slug:slug>/simulation/",
        views.agreement_simulation,
        name="agreement_simulation",
    ),
    path("decisions/", views.decisions, name="decisions"),
    path("decisions/<int:number>/", views.decision, name="decision"),
    path("obligations/", views.obligations, name="obligations"),
    path("obligations/<int:number>/fulfil/", views.obligation_fulfil, name="obligation_fulfil"),
    path("outgoing/", views.outgoing, name="outgoing"),
    path("outgoing.csv", views.outgoing_file, {"form": "csv"}, name="outgoing_csv"),
    path("outgoing.json", views.outgoing_file, {"form": "json"}, name="outgoing_json"),
]
