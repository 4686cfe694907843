"""Addresses of the registry's pages."""

from django.urls import path

from renkei.materials import views

app_name = "materials"
urlpatterns = [
    path("", views.listing, name="list"),
    path("exposure/", views.exposure, name="exposure"),
    path("releases/", views.releases, name="releases"),
    path("products/<str:slug>/", views.product, name="product"),
    path("<str:slug>/", views.material, name="material"),
    path("<str:slug>/inputs/<str:stage>/", views.inputs, name="inputs"),
]
