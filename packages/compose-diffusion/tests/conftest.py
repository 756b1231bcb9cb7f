import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tensors are small here: a second thread would only wait, and count as much time as the first one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
