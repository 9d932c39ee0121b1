from crmcem.lib import stream

from .duplicates import DuplicatesConsumer
from .follow import FollowConsumer
from .followers import FollowerConsumer
from .milestones import MilestoneConsumer
from .pulse import PulseConsumer
from .segments import SegmentConsumer
from .stitch import StitchConsumer


def register() -> None:
    """Called once when the app is ready."""
    stream.register(
        StitchConsumer(),
        FollowConsumer(),
        PulseConsumer(),
        SegmentConsumer(),
        DuplicatesConsumer(),
        MilestoneConsumer(),
        FollowerConsumer(),
    )
