"""The PyTorch back end: where training runs, what a step does, and how states become files."""

try:
    import torch as _torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as error:
    from onepaper.errors import OnePaperError

    raise OnePaperError("this needs PyTorch: pip install 'onepaper[torch]'") from error
