from penstock.destinations.asking import answering as answering  # unlisted
from penstock.destinations.asking import ask as ask
from penstock.destinations.exporting import Content as Content
from penstock.destinations.exporting import Exported as Exported
from penstock.destinations.exporting import Format as Format
from penstock.destinations.exporting import Progress as Progress
from penstock.destinations.exporting import export as export
from penstock.destinations.keeping import Keeper as Keeper
from penstock.destinations.kinds import DESTINATIONS as DESTINATIONS
from penstock.destinations.kinds import open_destination as open_destination
from penstock.destinations.ports import Batch as Batch
from penstock.destinations.ports import Destination as Destination
from penstock.destinations.ports import wants_structs as wants_structs  # unlisted
from penstock.destinations.target import refuse_existing as refuse_existing
from penstock.destinations.text_files import csv_line as csv_line  # unlisted
