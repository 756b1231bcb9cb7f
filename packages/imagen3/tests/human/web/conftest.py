"""A small study, its store, and a server for it."""

import contextlib
import csv
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagen3.config import StudyRules

pytest.importorskip("sqlalchemy")
pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from imagen3.human.web.app import create_app  # noqa: E402
from imagen3.human.web.database import open_engine  # noqa: E402
from imagen3.human.web.store import RatingStore  # noqa: E402
from imagen3.human.web.study_folder import PictureStore, prepare_pictures, read_study  # noqa: E402

PROMPTS = 8
HOSTILE = '<script>alert(1)</script> & "quotes"'


def write_study(folder: Path) -> Path:
    """Three models with pictures of other shapes, kinds and file sizes, and references."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    with (folder / "prompts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt_id", "prompt", "noun"])
        texts = [HOSTILE, *(f"prompt {index}" for index in range(1, PROMPTS))]
        writer.writerows([f"p{index}", text, "apples"] for index, text in enumerate(texts))
    kinds = {"alpha": ("png", 20, 32), "beta": ("jpg", 40, 40), "gamma": ("webp", 24, 60), "references": ("png", 9, 9)}
    for number, (name, (suffix, height, width)) in enumerate(kinds.items()):
        (folder / name).mkdir()
        for index in range(PROMPTS):
            noise = generator.integers(0, 60 * number + 1, (height, width, 3))
            exif = Image.Exif()
            exif[0x010E] = f"made by {name}"
            Image.fromarray(noise.astype(np.uint8)).save(folder / name / f"p{index}.{suffix}", exif=exif)
    return folder


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("web") / "study")


@pytest.fixture(scope="session")
def pictures_folder(study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    prepare_pictures(read_study(study_folder, ("overall", "detail", "counting")), folder, 64)
    return folder


@pytest.fixture
def open_store(study_folder: Path, tmp_path: Path) -> Iterator[Callable[..., RatingStore]]:
    """Opens the store of the study in the database of the test."""
    opened = list[RatingStore]()

    def make(aspects: tuple[str, ...] = ("overall",), url: str = "", seed: int = 0, **words: Any) -> RatingStore:
        rules = words.pop("rules", StudyRules(ratings=16, submission=8, largest_share=1.0))
        engine = open_engine(url or f"sqlite:///{tmp_path / 'ratings.sqlite'}")
        words = {"check_rate": 0.0} | words
        study = read_study(study_folder, aspects)
        opened.append(RatingStore(engine, study, study.digest(64), rules, np.random.default_rng(seed), **words))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server of its own, by the programs of PostgreSQL where they are installed."""
    pytest.importorskip("psycopg")
    programs = [*map(Path.parent.fget, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")))]  # pyright: ignore
    found = shutil.which("initdb")
    folder = programs[-1] if programs else Path(found).parent if found else None
    if folder is None:
        pytest.skip("initdb of PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="pg") as place:
        data, user = Path(place) / "data", {}
        if Path("/proc/self").stat().st_uid == 0:  # PostgreSQL refuses to run as root
            shutil.chown(place, "postgres")
            user = {"user": "postgres", "group": "postgres"}

        def run(*words: str) -> None:
            subprocess.run([folder / words[0], *words[1:]], check=True, stdout=subprocess.DEVNULL, cwd=place, **user)

        run("initdb", "-D", str(data), "-U", "test", "--auth=trust", "--no-sync")
        options = f"-k {place} -c listen_addresses=''"
        run("pg_ctl", "-D", str(data), "-o", options, "-l", str(Path(place) / "log"), "-w", "start")
        try:
            yield f"postgresql+psycopg://test@/postgres?host={place}"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


@pytest.fixture
def serve(pictures_folder: Path) -> Iterator[Callable[[RatingStore], str]]:
    """Serves a store by uvicorn on a free port; its address."""
    with contextlib.ExitStack() as stack:

        def start(store: RatingStore) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            application = create_app(store, PictureStore(pictures_folder))
            server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()

            def stop() -> None:
                server.should_exit = True
                thread.join(10)

            stack.callback(stop)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start


class Rater:
    """A browser without pictures: keeps its cookie and reads the fields of forms."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, follow_redirects=True, timeout=60)
        self.page = self.client.get("/").text

    def fields(self) -> dict[str, str]:
        return dict(re.findall(r'name="(token|task)" value="(\w+)"', self.page))

    def begin(self) -> None:
        self.page = self.client.post("/begin", data=self.fields()).text

    def vote(self, answer: str) -> Any:
        response = self.client.post("/vote", data=self.fields() | {"answer": answer})
        self.page = response.text
        return response


@pytest.fixture
def visit() -> Iterator[Callable[[str], Rater]]:
    """A new rater at an address."""
    raters = list[Rater]()

    def make(address: str) -> Rater:
        raters.append(Rater(address))
        return raters[-1]

    yield make
    for rater in raters:
        rater.client.close()
