"""Pages that belong to no room, below the language."""

from django.urls import path

from renkei.base import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", views.token_issue, name="token_issue"),
    path("account/tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
    path("jobs/", views.job_list, name="jobs"),
    path("jobs/<uuid:task>/cancel/", views.job_cancel, name="job_cancel"),
]
