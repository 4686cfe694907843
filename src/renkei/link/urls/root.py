"""Addresses at the root: what the partner's end of the link asks."""

from django.urls import path

from renkei.link import endpoints

urlpatterns = [path("link/v1/<str:kind>", endpoints.peer, name="link_peer")]
