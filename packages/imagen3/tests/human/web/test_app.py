"""The pages: what is shown, what is refused, and that nothing shows which model made a picture."""

import asyncio
import contextlib
import html
import multiprocessing
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy
import uvicorn

from imagen3.config import StudyRules
from imagen3.human.votes import read_votes
from imagen3.human.web.app import create_app
from imagen3.human.web.database import open_engine
from imagen3.human.web.store import RatingStore
from imagen3.human.web.study_folder import PictureStore, read_study

Open, Serve, Visit = Callable[..., RatingStore], Callable[[RatingStore], str], Callable[[str], Any]
MODELS = ("alpha", "beta", "gamma")


def test_a_study_from_begin_to_export(open_store: Open, serve: Serve, visit: Visit, tmp_path: Path) -> None:
    store = open_store(("overall", "counting"))
    address = serve(store)
    rater = visit(address)
    rater.begin()
    answers = 0
    while "Thank you" not in rater.page:
        rater.vote("left" if "No preference" in rater.page else "2")
        answers += 1
    assert answers == 48
    board = rater.client.get(f"/board/{store.admin_key}").text
    assert "48 of 96 answers" in board
    path = tmp_path / "votes.csv"
    path.write_text(rater.client.get(f"/board/{store.admin_key}/votes.csv").text)
    assert read_votes(path, MODELS) == store.votes()
    assert len(rater.client.get(f"/board/{store.admin_key}/votes.json").json()) == 24
    assert len(rater.client.get(f"/board/{store.admin_key}/counts.json").json()) == 24
    assert rater.client.get(f"/board/{store.admin_key}/counts.csv").text.count("\n") == 25
    assert rater.client.get(f"/board/{store.admin_key}/all.csv").status_code == 404
    for wrong in ("x", "x/votes.csv"):
        assert rater.client.get(f"/board/{wrong}").status_code == 404


def test_nothing_shows_the_model(open_store: Open, serve: Serve, visit: Visit) -> None:
    store = open_store(("overall", "detail"))
    rater = visit(serve(store))
    rater.begin()
    while "Thank you" not in rater.page:
        assert not re.search("|".join(MODELS), rater.page)
        addresses = re.findall(r'src="(/picture/[^"]+)"', rater.page)
        responses = [rater.client.get(address) for address in addresses]
        first = responses[0]
        for response in responses:
            assert response.status_code == 200
            assert {name: value for name, value in response.headers.items() if name != "date"} == {
                name: value for name, value in first.headers.items() if name != "date"
            }
            assert response.headers["cache-control"] == "no-store"
            assert not {"etag", "last-modified"} & set(response.headers)
            assert not re.search(b"|".join(model.encode() for model in MODELS), response.content)
        assert len({len(address.rsplit("/", 1)[0]) for address in addresses}) == 1
        rater.vote("left")
    lefts = Counter(vote.model_left for vote in store.votes())
    assert len(lefts) == 3


def test_no_answer_depends_on_what_was_shown_before(open_store: Open, serve: Serve, visit: Visit) -> None:
    """Pictures come whole and alike however they are asked for, whoever has seen them."""
    store = open_store(rules=StudyRules(ratings=8, submission=8, largest_share=1.0))
    address = serve(store)
    rater = visit(address)
    rater.begin()
    place = f"/picture/{rater.fields()['task']}/left"
    first = rater.client.get(place)
    for headers in (
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Range": "bytes=0-99"},
        {"Accept-Encoding": "gzip"},
    ):
        again = rater.client.get(place, headers=headers)
        assert (again.status_code, again.content) == (200, first.content)
        assert {*again.headers} == {*first.headers}
    assert rater.client.head(place).headers["content-length"] == first.headers["content-length"]


def test_texts_are_escaped(open_store: Open, serve: Serve, visit: Visit) -> None:
    rater = visit(serve(open_store()))
    rater.begin()
    pages = list[str]()
    while "Thank you" not in rater.page:
        pages.append(rater.page)
        response = rater.vote("left")
    assert any(html.escape("<script>alert(1)</script>", quote=False) in page for page in pages)
    assert not any("<script>alert" in page for page in pages)
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_forged_forms(open_store: Open, serve: Serve, visit: Visit) -> None:
    """A vote needs the cookie and the token of the session; tasks and pictures belong to one rater."""
    store = open_store()
    address = serve(store)
    rater, other = visit(address), visit(address)
    rater.begin()
    other.begin()
    fields = rater.fields() | {"answer": "left"}
    post = rater.client.post
    assert post("/vote", data=fields | {"token": ""}).status_code == 403
    assert post("/vote", data=fields | {"token": other.fields()["token"]}).status_code == 403
    assert post("/vote", data={name: value for name, value in fields.items() if name != "token"}).status_code == 403
    assert post("/vote", content=b"answer=" + b"x" * 5000).status_code == 413
    assert post("/vote", content=b"\xff\xfe").status_code == 400
    assert post("/vote", data=fields | {"answer": "' OR 1=1 --"}).status_code == 400
    assert post("/vote", data=fields | {"task": "x' OR '1'='1"}).status_code == 400
    assert other.client.post("/vote", data=fields | {"token": other.fields()["token"]}).status_code == 400
    assert httpx.post(f"{address}/vote", data=fields).status_code == 403
    assert httpx.get(f"{address}/rate").status_code == 403
    assert rater.client.get("/vote").status_code == 405
    picture = f"/picture/{fields['task']}/left"
    assert rater.client.get(picture).status_code == 200
    for client, place in ((other.client, picture), (rater.client, picture + "x"), (rater.client, "/picture/x/left")):
        assert client.get(place).status_code == 404
    assert rater.client.get(f"/picture/{fields['task']}/references").status_code == 404
    assert rater.client.get("/picture/..%2f..%2fprompts.csv/left").status_code == 404
    assert store.votes() == []


def test_sent_twice_is_stored_once(open_store: Open, serve: Serve, visit: Visit) -> None:
    store = open_store()
    rater = visit(serve(store))
    rater.begin()
    fields = rater.fields()
    for answer in ("right", "right", "left"):
        assert rater.client.post("/vote", data=fields | {"answer": answer}).status_code == 200
    assert [vote.choice for vote in store.votes()] == ["right"]


def test_going_on_with_the_code(open_store: Open, serve: Serve, visit: Visit) -> None:
    store = open_store()
    address = serve(store)
    rater = visit(address)
    rater.begin()
    task = rater.fields()["task"]
    code = re.search(r"<code>(\w+)</code>", rater.page)
    assert code is not None
    phone = visit(address)
    response = phone.client.post("/begin", data=phone.fields() | {"code": "unknown"})
    assert "This code is not known" in response.text
    phone.page = phone.client.post("/begin", data=phone.fields() | {"code": f" {code[1].upper()} "}).text
    assert phone.fields()["task"] == task
    assert visit(address).client.get("/").status_code == 200
    assert "vote" in rater.client.get("/").text, "who has begun goes on at once"


def test_a_failing_database_is_said(
    open_store: Open, serve: Serve, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    rater = visit(serve(store))
    rater.begin()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(store, "answer", fail)
    response = rater.client.post("/vote", data=rater.fields() | {"answer": "left"})
    assert response.status_code == 500
    assert "nothing was stored" in response.text
    assert "disk full" not in response.text


async def rate_concurrently(app: Any, raters: int, votes: int) -> tuple[list[str], list[float]]:
    """Raters at the same time, who send every vote twice; tasks that were acknowledged, and seconds of each request."""
    acknowledged, seconds = list[str](), list[float]()

    async def rate(client: httpx.AsyncClient) -> None:
        async def timed(method: str, path: str, **words: Any) -> str:
            began = time.perf_counter()
            response = await client.request(method, path, **words)
            seconds.append(time.perf_counter() - began)
            assert response.status_code == 200, response.text
            return response.text

        page = await timed("GET", "/")
        page = await timed("POST", "/begin", data=dict(re.findall(r'name="(token|task)" value="(\w+)"', page)))
        for _ in range(votes):
            fields = dict(re.findall(r'name="(token|task)" value="(\w+)"', page))
            for side in ("left", "right"):
                response = await client.get(f"/picture/{fields['task']}/{side}")
                assert response.status_code == 200
            fields |= {"answer": "left"}
            page, _ = await asyncio.gather(timed("POST", "/vote", data=fields), timed("POST", "/vote", data=fields))
            acknowledged.append(fields["task"])

    async with contextlib.AsyncExitStack() as stack:
        transport = httpx.ASGITransport(app)
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=True, timeout=None)
            )
            for _ in range(raters)
        ]
        await asyncio.gather(*(rate(client) for client in clients))
    return acknowledged, seconds


@pytest.mark.parametrize(("raters", "votes"), [(10, 4), pytest.param(200, 20, marks=pytest.mark.slow)])
def test_concurrent_raters(raters: int, votes: int, open_store: Open, pictures_folder: Path) -> None:
    """No vote is lost, none is there twice, and no study gets more than it asks for."""
    rules = StudyRules(ratings=raters * votes // 2 // 8 * 8 + 8, submission=8, largest_share=1.0)
    store = open_store(rules=rules)
    app = create_app(store, PictureStore(pictures_folder))
    acknowledged, seconds = asyncio.run(rate_concurrently(app, raters, votes))
    stored = [vote.vote_id for vote in store.votes()]
    assert len(stored) == raters * votes
    assert sorted(stored) == sorted(acknowledged)
    assert max(Counter(vote.study_id for vote in store.votes()).values()) <= rules.ratings
    print(f"{raters} raters: 95% of requests within {1000 * np.quantile(seconds, 0.95):.0f} ms")


def served_process(study: Path, state: Path, database: str) -> tuple[subprocess.Popen[str], str]:
    """The verb as a process, and its address once it answers."""
    words = ("rate", "--study", str(study), "--state", str(state), "--port", "0", "--size", "32", "--check-rate", "0")
    words = (*words, "--rules.ratings", "8000", "--rules.submission", "8", "--rules.largest-share", "1")
    words = (*words, "--database", database)
    command = [sys.executable, "-m", "onepaper", "imagen3", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("raters: "):
            return process, line.split()[1].rstrip("/")
    raise AssertionError("the server did not start")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ratings.sqlite'}"
    return new_database(request.getfixturevalue("postgresql"))


def votes_until(raters: list[Any], end: Callable[[], object], delay: float) -> list[str]:
    """Tasks whose votes were acknowledged before the server was gone, so many seconds after the first one."""
    acknowledged, timer = list[str](), threading.Timer(delay, end)
    with contextlib.suppress(httpx.TransportError):
        while True:
            for rater in raters:
                if "task" not in rater.fields():  # at the beginning, and after all tasks of a rater
                    rater.client.cookies.clear()
                    rater.page = rater.client.get("/").text
                    rater.begin()
                form = rater.fields() | {"answer": "left"}
                # The redirect acknowledges the vote, whatever becomes of the next page.
                response = rater.client.post("/vote", data=form, follow_redirects=False)
                assert response.status_code == 303
                acknowledged.append(form["task"])
                if timer.ident is None:  # from the first vote on
                    timer.start()
                rater.page = rater.client.get("/rate").text
    timer.join()
    return acknowledged


def test_a_killed_process_loses_no_vote(
    database: str, study_folder: Path, tmp_path: Path, visit: Visit, request: pytest.FixtureRequest
) -> None:
    """The verb, killed while raters vote and started again, the last time ended by SIGTERM."""
    acknowledged = list[str]()
    for name, code in (("kill", -signal.SIGKILL), ("terminate", 128 + signal.SIGTERM)):
        process, address = served_process(study_folder, tmp_path / "state", database)
        request.addfinalizer(process.kill)
        acknowledged += votes_until([visit(address) for _ in range(2)], getattr(process, name), 0.1)
        assert process.wait(timeout=30) == code
    stored = stored_votes(database)
    assert not set(acknowledged) - set(stored)
    assert len(set(stored)) == len(stored)


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_a_server_killed_at_any_moment_loses_no_vote(
    kills: int, database: str, study_folder: Path, pictures_folder: Path, visit: Visit
) -> None:
    """Every acknowledged vote is there after each of many kills, and none is there twice."""
    study = read_study(study_folder, ("overall",))
    rules = StudyRules(ratings=8000, submission=8, largest_share=1.0)

    def serve_until_killed(listener: socket.socket) -> None:
        store = RatingStore(open_engine(database), study, "digest", rules, np.random.default_rng(), check_rate=0.0)
        app = create_app(store, PictureStore(pictures_folder))
        uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])

    generator, acknowledged = np.random.default_rng(0), list[str]()
    for number in range(kills):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            process = multiprocessing.get_context("fork").Process(target=serve_until_killed, args=(listener,))
            process.start()
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = votes_until([visit(address) for _ in range(2)], process.kill, generator.uniform(0, 0.3))
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        stored = stored_votes(database)
        assert not set(found) - set(stored), f"after kill {number + 1}"
        acknowledged += found
    assert len(acknowledged) >= kills
    assert not set(acknowledged) - set(stored)
    assert len(set(stored)) == len(stored)
    if database.startswith("sqlite"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    print(f"{kills} kills: {len(acknowledged):,} acknowledged votes, {len(stored):,} stored, none lost")


def new_database(url: str) -> str:
    """The URL of an empty database on the server of PostgreSQL of the tests."""
    name = "kills"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")


def stored_votes(database: str) -> list[str]:
    """The tasks with an answer in a database."""
    engine = sqlalchemy.create_engine(database)
    with engine.connect() as connection:
        found = list(connection.execute(sqlalchemy.text("SELECT id FROM tasks WHERE answer IS NOT NULL")).scalars())
    engine.dispose()
    return found
