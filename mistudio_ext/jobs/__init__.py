"""Jobs: worker processes started, watched, cancelled and adopted."""

from mistudio_ext.jobs.bus import EventBus, Message
from mistudio_ext.jobs.kinds import JobKind, Needs
from mistudio_ext.jobs.manager import JobManager

__all__ = ["EventBus", "JobKind", "JobManager", "Message", "Needs"]
