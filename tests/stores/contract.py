"""What every store must do: one suite, run by each implementation on the real thing.

A subclass provides the fixtures `store` (a new client; its data may be shared with other tests)
and `store_url` (opens another client of the same data in another process).
"""

from tests.stores.contract_documents import DocumentContract
from tests.stores.contract_filters import FilterContract
from tests.stores.contract_groups import GroupContract
from tests.stores.contract_indices import IndexContract
from tests.stores.contract_snapshots import SnapshotContract
from tests.stores.contract_state import StateContract


class StoreContract(
    DocumentContract, IndexContract, StateContract, SnapshotContract, FilterContract, GroupContract
):
    """Be all that is promised in `stats_pipeline.stores.protocol`."""
