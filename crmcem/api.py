"""The URL map of the API: which resource is served where."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("", include("crmcem.workspace.api.urls")),
    path("", include("contacts.api.urls")),
    path("", include("sales.api.urls")),
    path("", include("feedback.api.urls")),
    path("", include("journeys.api.urls")),
    path("", include("analytics.api.urls")),
]
