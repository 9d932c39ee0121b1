from django.urls import URLPattern, URLResolver, path

from analytics.views.experience import ExperienceData, ExperiencePage, ExperiencePart, Wallboard
from analytics.views.panels import CompanyPanel, HomePanel

app_name = "analytics"

urlpatterns: list[URLPattern | URLResolver] = [
    path("experience/", ExperiencePage.as_view(), name="experience"),
    path("experience/wallboard/", Wallboard.as_view(), name="wallboard"),
    path("experience/parts/<slug:part>/", ExperiencePart.as_view(), name="part"),
    path("experience/data/<slug:chart>.csv", ExperienceData.as_view(), name="data"),
    path("experience/panels/home/", HomePanel.as_view(), name="panel-home"),
    path("experience/panels/company/<int:pk>/", CompanyPanel.as_view(), name="panel-company"),
]
