from rest_framework.routers import SimpleRouter

from . import schema  # noqa: F401 - registers how to sign in
from .edits import EditViewSet
from .views import NotificationViewSet, TeamViewSet, UserViewSet

router = SimpleRouter()
router.register("users", UserViewSet, basename="user")
router.register("teams", TeamViewSet, basename="team")
router.register("notifications", NotificationViewSet, basename="notification")
router.register("edits", EditViewSet, basename="edit")

urlpatterns = router.urls
