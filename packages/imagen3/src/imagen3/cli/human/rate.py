"""The verb `rate`: a web application for raters, which runs until it is stopped."""

import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from onepaper.errors import OnePaperError
from onepaper.paper import Invocation
from onepaper.runs import check_writable, default_folder

from imagen3.cli.options import RateOptions
from imagen3.human.web.study_folder import prepare_pictures, read_study


def rate_verb(call: Invocation) -> None:
    """Encode the pictures of a study, and serve it."""
    options = call.options
    assert isinstance(options, RateOptions)
    if options.dry_run:
        print(f"would serve {options.study} to raters: {', '.join(options.aspects)}")
        return
    try:
        import uvicorn

        from imagen3.human.web.app import create_app
        from imagen3.human.web.database import open_engine
        from imagen3.human.web.store import RatingStore
    except ImportError as error:
        raise OnePaperError(f"rate needs {error.name}: pip install 'onepaper-imagen3[rate]'") from None
    study = read_study(options.study, options.aspects)
    name = options.study.resolve().name
    state = options.state or Path(default_folder(call.paper.name, call.verb.name, name))
    check_writable(state, "--state")
    state.mkdir(parents=True, exist_ok=True)
    engine = open_engine(options.database or f"sqlite:///{state / 'ratings.sqlite'}")
    # Raters must not be able to compute sides from a known seed.
    generator = np.random.default_rng([options.seed, secrets.randbits(64)])
    digest = study.digest(options.size)
    store = RatingStore(engine, study, digest, options.rules, generator, check_rate=options.check_rate)
    try:
        pictures = prepare_pictures(study, state / "pictures", options.size)
        with _listen(options.host, options.port) as listener:
            host, port = listener.getsockname()[:2]

            @contextlib.asynccontextmanager
            async def announce(_app: object) -> AsyncIterator[None]:
                print(f"{len(study.models)} models, {len(study.prompts)} prompts, {len(study.studies)} studies")
                print(f"raters: http://{host}:{port}/")
                print(f"board and exports: http://{host}:{port}/board/{store.admin_key}", flush=True)
                yield

            app = create_app(store, pictures, announce)
            uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
    finally:
        store.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise OnePaperError(f"cannot serve {host}:{port} ({error.strerror}); choose another --host or --port") from None
