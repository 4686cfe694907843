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
]
