from django.contrib import admin
from django.urls import include, path

from crmcem import ops
from crmcem.lib.web import errors

urlpatterns = [
    path("healthz", ops.healthz, name="healthz"),
    path("readyz", ops.readyz, name="readyz"),
    path("metrics", ops.metrics, name="metrics"),
    # before the others: hundreds of customers may open their survey's page at the same moment
    path("", include("feedback.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("crmcem.api")),
    path("", include("crmcem.workspace.urls")),
    path("", include("contacts.urls")),
    path("", include("sales.urls")),
    path("", include("journeys.urls")),
    path("", include("analytics.urls")),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
