"""Addresses of the registry's pages."""

from django.urls import path

from renkei.materials import views

app_name = "materials"
urlpatterns = [
    path("", views.listing, name="list"),
    path("exposure/", views.exposure, name="exposure"),
    path("exposure/<str:country>/", views.exposure_of, name="exposure_of"),
    path("exposure/<str:country>/<str:slug>/", views.exposure_of, name="exposure_of_material"),
    path(
        "exposure/<str:country>/<str:slug>/<str:code>/",
        views.exposure_inputs,
        name="exposure_inputs",
    ),
    path("leaving/", views.leaving, name="leaving"),
    path("joint/", views.joint_runs, name="joint_runs"),
    path("joint/messages.json", views.joint_file, name="joint_file"),
    path("joint/add/", views.joint_add, name="joint_add"),
    path("joint/<str:uid>/", views.joint_run, name="joint_run"),
    path("joint/<str:uid>/do/", views.joint_verb, name="joint_verb"),
    path("rules/", views.rules, name="rules"),
    path("releases/", views.releases, name="releases"),
    path("scenarios/", views.scenarios, name="scenarios"),
    path("scenarios/add/", views.scenario_add, name="scenario_add"),
    path("scenarios/<str:slug>/", views.scenario, name="scenario"),
    path("scenarios/<str:slug>/stop/", views.scenario_stop, name="scenario_stop"),
    path("scenarios/<str:slug>/propose/", views.scenario_propose, name="scenario_propose"),
    path("plans/", views.plans, name="plans"),
    path("plans/<str:uid>/", views.plan, name="plan"),
    path("cascade/", views.cascade, name="cascade"),
    path("alarms/", views.alarms, name="alarms"),
    path("cases/", views.cases, name="cases"),
    path("cases/add/", views.case_add, name="case_add"),
    path("cases/<str:slug>/", views.case, name="case"),
    path("products/", views.products, name="products"),
    path("products/<str:slug>/", views.product, name="product"),
    path("<str:slug>/", views.material, name="material"),
    path("<str:slug>/eu/", views.eu, name="eu"),
    path("<str:slug>/inputs/", views.inputs_of, name="inputs_of"),
    path("<str:slug>/inputs/<str:stage>/", views.inputs, name="inputs"),
]
