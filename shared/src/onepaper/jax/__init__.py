"""The JAX back end: devices and processes, the training step, states as files."""

try:
    import flax as _flax  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import jax as _jax  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as error:
    from onepaper.errors import OnePaperError

    raise OnePaperError("this needs JAX and Flax: pip install 'onepaper[jax]'") from error
