from django.urls import path

from journeys.views import edit, lists, pages, runs

app_name = "journeys"

urlpatterns = [
    path("automations/", lists.AutomationList.as_view(), name="automations"),
    path("automations/new/", edit.Edit.as_view(), name="new"),
    path("automations/start/", pages.Defaults.as_view(), name="defaults"),
    path("automations/<int:pk>/", pages.AutomationPage.as_view(), name="automation"),
    path("automations/<int:pk>/edit/", edit.Edit.as_view(), name="edit"),
    path("automations/<int:pk>/activate/", pages.Switch.as_view(what="activate"), name="activate"),
    path("automations/<int:pk>/pause/", pages.Switch.as_view(what="pause"), name="pause"),
    path("automations/<int:pk>/delete/", pages.Switch.as_view(what="delete"), name="delete"),
    path("automations/<int:pk>/dry-run/", runs.DryRunPage.as_view(), name="dry-run"),
    path("automations/<int:pk>/versions/<int:number>/", pages.VersionPage.as_view(), name="version"),
    path("automation-runs/", lists.RunLog.as_view(), name="runs"),
    path("automation-runs/<int:pk>/", runs.RunPage.as_view(), name="run"),
    path("automation-runs/<int:pk>/cancel/", runs.RunAction.as_view(what="cancel"), name="run-cancel"),
    path("automation-runs/<int:pk>/retry/", runs.RunAction.as_view(what="retry"), name="run-retry"),
    path("automation-runs/of/<int:pk>/", runs.ContactPanel.as_view(), name="contact-panel"),
]
