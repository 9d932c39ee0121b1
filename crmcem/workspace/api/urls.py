from rest_framework.routers import SimpleRouter

from . import schema  # noqa: F401 - registers how to sign in
from .views import NotificationViewSet, TeamViewSet, UserViewSet

router = SimpleRouter()
router.register("users", UserViewSet, basename="user")
router.register("teams", TeamViewSet, basename="team")
router.register("notifications", NotificationViewSet, basename="notification")

urlpatterns = router.urls
