"""Contract suites for what others add: run them over your own store, locks or style of pages.

Each suite is a class of tests for pytest. Inherit it in a test module of yours, and give it what it
asks for by a fixture::

    # conftest.py
    import pytest

    pytest.register_assert_rewrite("penstock.testing")

    # test_my_store.py
    from penstock.testing import StoreContract


    class TestMyStore(StoreContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path / "store")
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
