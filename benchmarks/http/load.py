"""wrk on one core against one worker on the other: requests, latencies, and the CPU the server used."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

SERVER_CORE, CLIENT_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")
SEEDED = "math.randomseed(tonumber(os.getenv('BENCH_SEED') or 1))\n"
GET = """
local paths, place = {{}}, {first}
for line in io.lines("{paths}") do paths[#paths + 1] = line end
local headers = {{["Authorization"] = "Bearer {key}"}}
request = function()
  place = place % #paths + 1
  return wrk.format("GET", paths[place], headers)
end
"""
PACED = """
delay = function() return math.floor(-math.log(1 - math.random()) * {each_ms} + 0.5) end
"""
POST = (
    SEEDED
    + """
local run, sent = "{run}", 0
local drawn = {{}}
for line in io.lines("{drawn}") do drawn[#drawn + 1] = line end
local headers = {{["Authorization"] = "Bearer {key}", ["Content-Type"] = "application/json"}}
setup = function(thread) thread:set("number", math.random(1000000000)) end
request = function()
  local items = {{}}
  for i = 1, {size} do
    sent = sent + 1
    items[i] = string.format(
      '{{"id":"%s-%d-%d",%s,"kind":"read","at":"{at}","dwell_s":12.5,"served_id":"%s","position":%d}}',
      run, number, sent, drawn[math.random(#drawn)], run, i)
  end
  return wrk.format("POST", "/v1/events", headers, "[" .. table.concat(items, ",") .. "]")
end
"""
)


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw, and the server's CPU time for it."""

    requests: int
    seconds: float
    cpu_s: float
    p50_ms: float
    p99_ms: float
    failed: int
    asked: int = 0  # of the lists looked for in memory...
    hits: int = 0  # ...those that were there

    @property
    def hit_share(self) -> float:
        return self.hits / max(self.asked, 1)

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a request."""
        return 1e3 * self.cpu_s / max(self.requests, 1)

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@contextmanager
def server(app: str | None, url: str, **environment: str) -> Iterator[tuple[str, int]]:
    """One worker on the server's core; yields its URL and process id once it answers.

    `newsbell serve`, or another application under bare uvicorn.
    """
    from recommender.web.server import address, listen

    with listen("127.0.0.1", 0) as free:
        where = address(free)
    port = where.rpartition(":")[2]
    uvicorn = f"uvicorn {app} --factory --loop uvloop --http httptools --no-access-log --log-level warning"
    module = uvicorn if app else "scheduler.cli serve"
    command = ["taskset", "-c", SERVER_CORE, sys.executable, "-m", *module.split(), "--port", port]
    process = subprocess.Popen(command, env=os.environ | {"NEWSBELL_DATABASE_URL": url} | environment)
    try:
        _wait(where, process)
        yield where, process.pid
    finally:
        process.terminate()
        process.wait(300)  # it keeps its index


def _wait(where: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 3_600
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit("the server ended")
        try:
            httpx.get(f"{where}/healthz", timeout=5)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("the server did not start")


def asked_memory(where: str, cache: str) -> tuple[int, int]:
    """How often a list was looked for in memory so far, and how often it was there."""
    text = httpx.get(f"{where}/metrics", timeout=30).text
    counts = dict(re.findall(rf'newsbell_cache_total{{cache="{cache}",result="(hit|miss)"}} ([\d.e+]+)', text))
    hits, misses = (int(float(counts.get(name, 0))) for name in ("hit", "miss"))
    return hits + misses, hits


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wrk(where: str, pid: int, script: str, folder: Path, *, connections: int = 16, seconds: int = 10) -> Load:
    """One run."""
    file = folder / "load.lua"
    file.write_text(script)
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    before = cpu_s(pid)
    done = subprocess.run([*command, "-s", str(file), where], capture_output=True, text=True, check=True)
    return _read(done.stdout, cpu_s(pid) - before)


def _read(text: str, used_s: float) -> Load:
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s|m)", text)
    assert found, text
    seconds = float(found[2]) * {"s": 1, "ms": 1e-3, "m": 60}[found[3]]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Load(int(found[1]), seconds, used_s, _ms(text, "50%"), _ms(text, "99%"), int(bad[1]) if bad else 0)


def _ms(text: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s|m)\b", text)
    assert found, text
    return float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[found[2]]
