from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from contacts.api.attachments import AttachmentViewSet, FollowerViewSet
from contacts.api.custom_fields import CustomFieldViewSet, FieldLayoutViewSet
from contacts.api.duplicates import DuplicateViewSet
from contacts.api.events import EventViewSet, IdentifyViewSet
from contacts.api.imports import ImportViewSet
from contacts.api.merging import MergeViewSet
from contacts.api.parts import DomainViewSet, EmploymentViewSet, LifecycleChangeViewSet, PointViewSet
from contacts.api.quality import QualityRepairView, QualityTrendView, QualityView, RepairViewSet
from contacts.api.records import CompanyViewSet, ContactViewSet, InteractionViewSet, TaskViewSet
from contacts.api.relations import AddressViewSet, ProfileViewSet, RelationshipViewSet
from contacts.api.segments import SegmentViewSet
from contacts.api.tags import TagViewSet

router = SimpleRouter()
router.register("contacts", ContactViewSet, basename="contact")
router.register("companies", CompanyViewSet, basename="company")
router.register("employments", EmploymentViewSet, basename="employment")
router.register("contact-points", PointViewSet, basename="contact-point")
router.register("custom-fields", CustomFieldViewSet, basename="custom-field")
router.register("company-domains", DomainViewSet, basename="company-domain")
router.register("lifecycle-changes", LifecycleChangeViewSet, basename="lifecycle-change")
router.register("relationships", RelationshipViewSet, basename="relationship")
router.register("addresses", AddressViewSet, basename="address")
router.register("social-profiles", ProfileViewSet, basename="social-profile")
router.register("field-layouts", FieldLayoutViewSet, basename="field-layout")
router.register("attachments", AttachmentViewSet, basename="attachment")
router.register("followers", FollowerViewSet, basename="follower")
router.register("interactions", InteractionViewSet, basename="interaction")
router.register("tasks", TaskViewSet, basename="task")
router.register("events", EventViewSet, basename="event")
router.register("identify", IdentifyViewSet, basename="identify")
router.register("segments", SegmentViewSet, basename="segment")
router.register("tags", TagViewSet, basename="tag")
router.register("duplicates", DuplicateViewSet, basename="duplicate")
router.register("merges", MergeViewSet, basename="merge")
router.register("imports", ImportViewSet, basename="import")
router.register("data-repairs", RepairViewSet, basename="data-repair")

urlpatterns: list[URLPattern | URLResolver] = [
    path("data-quality/", QualityView.as_view(), name="data-quality"),
    path("data-quality/trend/", QualityTrendView.as_view(), name="data-quality-trend"),
    path("data-quality/repair/", QualityRepairView.as_view(), name="data-quality-repair"),
    *router.urls,
]
