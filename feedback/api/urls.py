from rest_framework.routers import SimpleRouter

from .cases import CaseViewSet
from .responses import ResponseViewSet
from .surveys import InvitationViewSet, SurveyViewSet

router = SimpleRouter()
router.register("surveys", SurveyViewSet, basename="survey")
router.register("invitations", InvitationViewSet, basename="invitation")
router.register("responses", ResponseViewSet, basename="response")
router.register("cases", CaseViewSet, basename="case")

urlpatterns = router.urls
