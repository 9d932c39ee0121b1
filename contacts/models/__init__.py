from .customers import Company, Contact, ContactPoint, Lifecycle
from .duplicates import DuplicateKey, DuplicatePair, DuplicateScan
from .fields import CustomField, FieldLayout
from .importing import (
    ImportFix,
    ImportJob,
    ImportKept,
    ImportMapping,
    ImportPart,
    ImportPoint,
    ImportRowError,
)
from .merging import MergeRecord, MergeStep
from .messages import Message
from .milestones import Milestone, MilestoneDay
from .parts import (
    Address,
    CompanyDomain,
    Employment,
    LifecycleChange,
    Relationship,
    SocialProfile,
)
from .pulse import Pulse
from .quality import DataFault, FaultScan, QualityDay
from .segments import Segment, SegmentDirty, SegmentMember, SegmentTimer
from .stream import Activity, ConsumerOffset, EventKey, IdentityAlias
from .subjects import Attachment, Follower, LooseFile
from .tags import Tag, TagChange, TagJob
from .views import SavedView, SavedViewChoice
from .work import Interaction, Task

__all__ = [
    "Activity",
    "Address",
    "Attachment",
    "Company",
    "CompanyDomain",
    "ConsumerOffset",
    "Contact",
    "ContactPoint",
    "CustomField",
    "DataFault",
    "DuplicateKey",
    "DuplicatePair",
    "DuplicateScan",
    "Employment",
    "EventKey",
    "FaultScan",
    "FieldLayout",
    "Follower",
    "IdentityAlias",
    "ImportFix",
    "ImportJob",
    "ImportKept",
    "ImportMapping",
    "ImportPart",
    "ImportPoint",
    "ImportRowError",
    "Interaction",
    "Lifecycle",
    "LifecycleChange",
    "LooseFile",
    "MergeRecord",
    "MergeStep",
    "Message",
    "Milestone",
    "MilestoneDay",
    "Pulse",
    "QualityDay",
    "Relationship",
    "SavedView",
    "SavedViewChoice",
    "Segment",
    "SegmentDirty",
    "SegmentMember",
    "SegmentTimer",
    "SocialProfile",
    "Tag",
    "TagChange",
    "TagJob",
    "Task",
]
