"""Addresses at the root: what a partner's node asks."""

from django.urls import path

from renkei.materials import endpoints

urlpatterns = [
    path("materials/v1/overlap", endpoints.overlap, name="materials_overlap"),
    path("materials/v1/joint", endpoints.joint, name="materials_joint"),
]
