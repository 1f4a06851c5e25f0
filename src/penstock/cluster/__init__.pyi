from penstock.cluster.beats import Beats as Beats
from penstock.cluster.blocks import Blocks as Blocks
from penstock.cluster.blocks import Land as Land
from penstock.cluster.blocks import Leased as Leased
from penstock.cluster.blocks import parse_shard as parse_shard
from penstock.cluster.blocks import sharded as sharded
from penstock.cluster.budget import SharedBudget as SharedBudget
from penstock.cluster.launchers import Ended as Ended
from penstock.cluster.launchers import Launch as Launch
from penstock.cluster.launchers import Launcher as Launcher
from penstock.cluster.launchers import Work as Work
from penstock.cluster.permits import Answered as Answered
from penstock.cluster.permits import BudgetHolder as BudgetHolder
from penstock.cluster.permits import Grant as Grant
from penstock.cluster.permits import Granted as Granted  # unlisted
from penstock.cluster.permits import Holder as Holder  # unlisted
from penstock.cluster.permits import Shared as Shared
from penstock.cluster.permits import Want as Want
from penstock.cluster.permits import begin as begin
from penstock.cluster.permits import next_count as next_count
from penstock.cluster.permits import round_time as round_time
from penstock.cluster.permits import step as step
from penstock.cluster.places import BUDGETS as BUDGETS
from penstock.cluster.places import BudgetPlace as BudgetPlace
from penstock.cluster.places import Decide as Decide
from penstock.cluster.places import OpenPlace as OpenPlace
from penstock.cluster.places import Place as Place  # unlisted
from penstock.cluster.places import budget_place as budget_place
from penstock.cluster.processes import Make as Make
from penstock.cluster.processes import Processes as Processes
