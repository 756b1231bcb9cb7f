"""The PyTorch back end: devices and processes, the training step, states as files."""

try:
    import torch as _torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as error:
    from onepaper.errors import OnePaperError

    raise OnePaperError("this needs PyTorch: pip install 'onepaper[torch]'") from error
