"""The pages for raters, and the board for who leads the study, as an ASGI application.

Raters see pictures by the random number of their task and the side; nothing that is sent depends on a model. Forms
carry a token of the session (CSRF), pages allow no other source than the server, and no answer is kept in a cache.
"""

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jinja2
from onepaper.errors import UsageError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from imagen3.data.tables import table_text
from imagen3.human.board import board_of
from imagen3.human.questions import question_of
from imagen3.human.votes import Vote
from imagen3.human.web.store import CountAnswer, RatingStore, Task
from imagen3.human.web.study_folder import REFERENCES, PictureStore

COOKIE = "rater"
LARGEST_FORM = 4096
_TEMPLATES = Path(__file__).with_name("templates")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(store: RatingStore, pictures: PictureStore, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """The application of one study; `lifespan` is entered when it is served."""
    pages = RatingPages(store, pictures)
    routes = [
        Route("/", pages.start),
        Route("/begin", pages.begin, methods=["POST"]),
        Route("/rate", pages.rate),
        Route("/vote", pages.vote, methods=["POST"]),
        Route("/picture/{task}/{side}", pages.picture),
        Route("/style.css", _file("style.css", "text/css")),
        Route("/rate.js", _file("rate.js", "text/javascript")),
        Route("/board/{key}", pages.board),
        Route("/board/{key}/{name}", pages.export),
    ]
    handlers = {HTTPException: pages.error, Exception: pages.error}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)


class RatingPages:
    """The pages of one study."""

    def __init__(self, store: RatingStore, pictures: PictureStore) -> None:
        self._store, self._pictures = store, pictures
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def start(self, request: Request) -> Response:
        """The first page; a new visitor gets a code, which is that of a rater once the study is begun."""
        code = request.cookies.get(COOKIE)
        if code and await run_in_threadpool(self._store.rater, code) is not None:
            return _redirect("/rate")
        if not code:
            code = secrets.token_hex(10)
        return self._with_code(request, self._page("start.html", token=self._token(code)), code)

    async def begin(self, request: Request) -> Response:
        """Begin as a new rater, or go on with the code of an earlier visit."""
        code, form = await self._checked_form(request)
        given = "".join(form.get("code", "").split()).lower()
        if given:
            if await run_in_threadpool(self._store.rater, given) is None:
                page = self._page("start.html", token=self._token(code), unknown_code=True)
                return self._with_code(request, page, code)
            code = given
        else:
            await run_in_threadpool(self._store.add_rater, code)
        return self._with_code(request, _redirect("/rate"), code)

    async def rate(self, request: Request) -> Response:
        """The next task of a rater."""
        code, rater = await self._rater(request)
        task = await run_in_threadpool(self._store.next_task, rater)
        given = await run_in_threadpool(self._store.given_by, rater)
        if task is None:
            return self._page("end.html", given=given, code=code)
        study = self._store.study
        question = question_of(study.studies[task.study].aspect)
        prompt = study.prompts[task.prompt]
        return self._page(
            "rate.html",
            task=task,
            question=question,
            text=question.text.format(noun=prompt.noun),
            prompt=prompt.prompt if question.shows_prompt else None,
            token=self._token(code),
            given=given,
            part=min(self._store.rules.submission, len(study.prompts)),
            code=code,
        )

    async def vote(self, request: Request) -> Response:
        """Store an answer, then show the next task. What is sent twice is stored once."""
        _, form = await self._checked_form(request)
        _, rater = await self._rater(request)
        done = await run_in_threadpool(self._store.answer, rater, form.get("task", ""), form.get("answer", "").strip())
        if done == "refused":
            raise HTTPException(400, "the answer was not stored: it is empty, too long, or belongs to another rater")
        return _redirect("/rate")

    async def picture(self, request: Request) -> Response:
        """A picture of a task of the rater."""
        _, rater = await self._rater(request)
        task = await run_in_threadpool(self._store.task, rater, request.path_params["task"])
        source = None if task is None else self._source(task, request.path_params["side"])
        if task is None or source is None:
            raise HTTPException(404, "there is no such picture")
        content = await run_in_threadpool(self._pictures.read, source, task.prompt)
        return Response(content, media_type="image/jpeg", headers=_HEADERS)

    async def board(self, request: Request) -> Response:
        """Progress and ratings up to now."""
        self._check_key(request)
        votes, counted = await run_in_threadpool(self._store.votes), await run_in_threadpool(self._store.count_answers)
        boards = [await run_in_threadpool(live_board, aspect, votes) for aspect in {vote.aspect: 0 for vote in votes}]
        planned = self._store.rules.ratings * len(self._store.study.studies)
        given, key = len(votes) + len(counted), self._store.admin_key
        return self._page("board.html", boards=boards, given=given, planned=planned, key=key)

    async def export(self, request: Request) -> Response:
        """All answers as CSV or JSON."""
        self._check_key(request)
        name = request.path_params["name"]
        rows = await run_in_threadpool(self._store.votes if name.startswith("votes") else self._store.count_answers)
        if name in ("votes.json", "counts.json"):
            content = json.dumps([row._asdict() for row in rows], ensure_ascii=False)
            return Response(content, media_type="application/json", headers=_HEADERS)
        if name not in ("votes.csv", "counts.csv"):
            raise HTTPException(404, "expected votes.csv, votes.json, counts.csv or counts.json")
        text = table_text(Vote._fields if name == "votes.csv" else CountAnswer._fields, rows)
        return Response(text, media_type="text/csv", headers=_HEADERS)

    async def error(self, _request: Request, error: Exception) -> Response:
        """A page with one line."""
        if isinstance(error, HTTPException):
            return self._page("error.html", status=error.status_code, message=error.detail)
        return self._page("error.html", status=500, message="the server failed; nothing was stored, try again")

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        values = {"unknown_code": False} | values
        content = self._environment.get_template(template).render(**values)
        return Response(content, status, media_type="text/html", headers=_HEADERS)

    def _source(self, task: Task, side: str) -> int | None:
        """The number of the source of a picture: a model, or the references after all models."""
        study = self._store.study
        if side == REFERENCES and question_of(study.studies[task.study].aspect).shows_reference:
            return len(study.models)
        return {"left": task.left, "right": task.right}.get(side)

    def _with_code(self, request: Request, response: Response, code: str) -> Response:
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, code, max_age=90 * 86400, httponly=True, samesite="lax", secure=secure)
        return response

    def _token(self, code: str) -> str:
        return hmac.new(self._store.secret, code.encode(), "sha256").hexdigest()

    def _check_key(self, request: Request) -> None:
        if not hmac.compare_digest(request.path_params["key"].encode(), self._store.admin_key.encode()):
            raise HTTPException(404, "there is no such page")

    async def _rater(self, request: Request) -> tuple[str, int]:
        code = request.cookies.get(COOKIE, "")
        rater = await run_in_threadpool(self._store.rater, code)
        if rater is None:
            raise HTTPException(403, "this study was not begun here; go back to its first page")
        return code, rater

    async def _checked_form(self, request: Request) -> tuple[str, Mapping[str, str]]:
        """The code of the session and the fields of a form, whose token belongs to it."""
        content = b""
        async for part in request.stream():
            content += part
            if len(content) > LARGEST_FORM:
                raise HTTPException(413, "the form is too large")
        try:
            fields = parse_qs(content.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict")
        except ValueError:
            raise HTTPException(400, "the form is not readable") from None
        form = {name: values[-1] for name, values in fields.items()}
        code = request.cookies.get(COOKIE, "")
        if not code or not hmac.compare_digest(form.get("token", "").encode(), self._token(code).encode()):
            raise HTTPException(403, "the form has expired; go back to the first page of the study")
        return code, form


def live_board(aspect: str, votes: Sequence[Vote]) -> dict[str, Any]:
    """Ratings of an aspect up to now; votes with flags are left out."""
    own = [vote for vote in votes if vote.aspect == aspect]
    kept = [vote for vote in own if not vote.flags]
    board: dict[str, Any] = {"aspect": aspect, "votes": len(own), "left_out": len(own) - len(kept)}
    try:
        return board | {"rows": board_of(kept).rows(), "problem": ""}
    except UsageError as error:
        return board | {"rows": [], "problem": str(error)}


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, headers=_HEADERS)


def _file(name: str, kind: str) -> Endpoint:
    content = (_TEMPLATES / name).read_bytes()

    async def endpoint(_request: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return endpoint
