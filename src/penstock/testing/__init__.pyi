from penstock.testing.destination_contract import DestinationContract as DestinationContract
from penstock.testing.lock_contract import LockContract as LockContract
from penstock.testing.store_contract import StoreContract as StoreContract
from penstock.testing.style_contract import StyleContract as StyleContract
