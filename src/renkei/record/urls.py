"""Addresses of the record's pages."""

from django.urls import path

from renkei.record import views

app_name = "record"
urlpatterns = [
    path("commitments/", views.dashboard, name="commitments"),
    path("organisations/", views.dashboard, name="organisations"),
    path("sources/", views.dashboard, name="sources"),
    path("findings/", views.dashboard, name="findings"),
]
