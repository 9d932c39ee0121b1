from rest_framework.routers import SimpleRouter

from .views import AutomationViewSet, RunViewSet

router = SimpleRouter()
router.register("automations", AutomationViewSet, basename="automation")
router.register("automation-runs", RunViewSet, basename="automation-run")

urlpatterns = router.urls
