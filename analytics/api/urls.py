from django.urls import URLPattern, URLResolver, path

from analytics.api.views import CesView, CsatView, NpsView, ResponseRateView

urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics/nps/", NpsView.as_view(), name="metrics-nps"),
    path("metrics/csat/", CsatView.as_view(), name="metrics-csat"),
    path("metrics/ces/", CesView.as_view(), name="metrics-ces"),
    path("metrics/response-rate/", ResponseRateView.as_view(), name="metrics-response-rate"),
]
