"""Leases of devices between processes and users: tickets in one local folder.

A ticket is a small file that its process keeps locked. The kernel frees the lock
when the process dies, however it dies, so nothing has to be cleaned up by anyone
for the device to be free again. Standard library only (and NVML where there is one):
servers and workers use it alike.
"""

from mistudio_ext.leases.devices import Device, find_devices
from mistudio_ext.leases.folder import LeaseFolder, holders
from mistudio_ext.leases.line import Need, Turn
from mistudio_ext.leases.place import check_shared
from mistudio_ext.leases.ticket import Entry, Ticket

__all__ = [
    "Device",
    "Entry",
    "LeaseFolder",
    "Need",
    "Ticket",
    "Turn",
    "check_shared",
    "find_devices",
    "holders",
]
