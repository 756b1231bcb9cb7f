"""Times of requests to the web application while 200 raters vote.

    python bench_server.py [--quick] [--raters 200] [--pause 5] [--minutes 1] [--output FILE]

The server is the verb `rate` in a process of its own with SQLite, every vote on disk before it is acknowledged; the
raters are clients of another one. Each loads both pictures, waits an exponential time with the mean of `--pause`
seconds, and votes. Times are those of a vote with the next page, and of a picture.
"""

import asyncio
import csv
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from onepaper.benchmark import option_parser, write_result
from PIL import Image

MODELS, PROMPTS, SIZE = 6, 200, 512


def write_study(folder: Path, prompts: int) -> None:
    """Six models with a picture of noise and colour for each prompt."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    with (folder / "prompts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("prompt_id", "prompt"), *((f"p{n}", f"prompt {n}") for n in range(prompts))])
    for model in range(MODELS):
        (folder / f"model{model}").mkdir()
        for prompt in range(prompts):
            small = generator.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(small).resize((SIZE, SIZE)).save(folder / f"model{model}" / f"p{prompt}.jpg")


class Raters:
    """All raters, and the seconds of their requests."""

    def __init__(self, address: str, pause: float, end: float) -> None:
        self.address, self.pause, self.end = address, pause, end
        self.seconds: dict[str, list[float]] = {"begin": [], "vote": [], "picture": []}

    async def rate(self, generator: random.Random) -> None:
        """One rater until the end."""
        async with httpx.AsyncClient(base_url=self.address, follow_redirects=True, timeout=60) as client:
            await asyncio.sleep(generator.uniform(0, self.pause))
            page = (await client.get("/")).text
            page = await self.timed(client, "begin", "POST", "/begin", _fields(page))
            while time.perf_counter() < self.end and (fields := _fields(page)).get("task"):
                sides = (self.timed(client, "picture", "GET", f"/picture/{fields['task']}/{side}", None)
                         for side in ("left", "right"))  # fmt: skip
                await asyncio.gather(*sides)
                await asyncio.sleep(generator.expovariate(1 / self.pause))
                page = await self.timed(client, "vote", "POST", "/vote", fields | {"answer": "left"})

    async def timed(
        self, client: httpx.AsyncClient, kind: str, method: str, path: str, data: dict[str, str] | None
    ) -> str:
        """The text of a response."""
        begun = time.perf_counter()
        response = await client.request(method, path, data=data)
        self.seconds[kind].append(time.perf_counter() - begun)
        response.raise_for_status()
        return response.text if kind != "picture" else ""


def _fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(token|task)" value="(\w+)"', page))


async def all_raters(raters: Raters, count: int) -> None:
    """All at the same time."""
    await asyncio.gather(*(raters.rate(random.Random(number)) for number in range(count)))


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The server and its address."""
    words = ["rate", "--study", str(folder / "study"), "--state", str(folder / "state"), "--port", "0"]
    command = [sys.executable, "-m", "onepaper", "imagen3", *words, "--size", str(SIZE)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("raters: "):
            return server, line.split()[1]
    raise SystemExit("the server did not start")


def main() -> None:
    """Measure, and print quantiles in milliseconds."""
    parser = option_parser(__doc__, quick="few raters for a few seconds, as a test")
    parser.add_argument("--raters", type=int, default=200)
    parser.add_argument("--pause", type=float, default=5.0, help="mean seconds of a rater on a page")
    parser.add_argument("--minutes", type=float, default=1.0)
    given = parser.parse_args()
    if given.quick:
        given.raters, given.pause, given.minutes = 4, 0.5, 0.25
    with tempfile.TemporaryDirectory() as place:
        write_study(Path(place) / "study", 4 if given.quick else PROMPTS)
        server, address = serve(Path(place))
        try:
            raters = Raters(address, given.pause, time.perf_counter() + 60 * given.minutes)
            asyncio.run(all_raters(raters, given.raters))
        finally:
            server.kill()
            server.wait()
    found = {
        kind: {"requests": len(own), **{f"p{q}, ms": 1000 * float(np.quantile(own, q / 100)) for q in (50, 95, 99)}}
        for kind, own in raters.seconds.items()
        if own
    }
    print(json.dumps(found, indent=1))
    settings = {"raters": given.raters, "pause": given.pause, "minutes": given.minutes}
    write_result(given.output, {**settings, "times": found}, ("uvicorn", "starlette", "sqlalchemy", "httpx"))


if __name__ == "__main__":
    main()
