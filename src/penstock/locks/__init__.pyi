from penstock.locks.backend import Backend as Backend
from penstock.locks.backend import Granted as Granted
from penstock.locks.backend import Reply as Reply
from penstock.locks.backend import Waiter as Waiter
from penstock.locks.errors import LockLost as LockLost
from penstock.locks.errors import LockTimeout as LockTimeout
from penstock.locks.errors import NotHeld as NotHeld
from penstock.locks.fencing import fenced_update as fenced_update
from penstock.locks.handle import Held as Held
from penstock.locks.handle import Holding as Holding
from penstock.locks.manager import LockerRoom as LockerRoom
from penstock.locks.places import BACKENDS as BACKENDS
from penstock.locks.places import OpenBackend as OpenBackend
from penstock.locks.places import lock_place as lock_place
from penstock.locks.process_identity import boot as boot
from penstock.locks.process_identity import has_ended as has_ended
from penstock.locks.process_identity import myself as myself
from penstock.locks.rules import step as step
from penstock.locks.state import LockRequest as LockRequest
from penstock.locks.state import LockState as LockState
from penstock.locks.state import Place as Place  # unlisted
from penstock.locks.state import QueuePlace as QueuePlace
from penstock.locks.state import Request as Request  # unlisted
from penstock.locks.status import Holder as Holder
from penstock.locks.status import Status as Status
