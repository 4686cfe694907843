"""Addresses of the link's pages; what the partner's end asks is in ``root``."""

from django.urls import path

from renkei.link import views

app_name = "link"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("now/", views.now, name="now"),
    path("proof/", views.proof, name="proof"),
    path("eavesdropper/", views.eavesdrop, name="eavesdrop"),
]
