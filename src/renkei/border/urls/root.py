"""Addresses that C2SP, did:web and the nodes' own protocol fix."""

from django.urls import path

from renkei.border import endpoints

urlpatterns = [
    path(
        ".well-known/authzen-configuration",
        endpoints.authzen_configuration,
        name="border_authzen",
    ),
    path("access/v1/evaluation", endpoints.evaluation, name="border_evaluation"),
    path("access/v1/evaluations", endpoints.evaluations, name="border_evaluations"),
    path(".well-known/did.json", endpoints.did, name="border_did"),
    path(".well-known/renkei-node", endpoints.renkei_node, name="border_node"),
    path("log/checkpoint", endpoints.checkpoint, name="border_checkpoint"),
    path("log/<path:wanted>", endpoints.tile, name="border_tile"),
    path("border/v1/hint", endpoints.hint, name="border_hint"),
    path("border/v1/private", endpoints.private, name="border_private"),
    path(
        "border/v1/witness/add-checkpoint", endpoints.add_checkpoint, name="border_add_checkpoint"
    ),
    path("border/v1/witness/<str:log>/checkpoint", endpoints.witnessed, name="border_witnessed"),
    path("border/v1/mirror/<str:log>/checkpoint", endpoints.mirrored, name="border_mirrored"),
    path("border/v1/mirror/<str:log>/<path:wanted>", endpoints.mirror_tile, name="border_mirror"),
]
