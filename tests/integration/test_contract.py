"""OpenAPI, /docs, and the commands that need no running service (docs/behavior.md, 2.9)."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.receivers import SECRET
from tests.services import ROOT, SERVICES, Running, act, assert_problem, config, endpoint, serving, square

pytestmark = pytest.mark.xdist_group("contract")

BYTES, UPLOAD = "builtins:bytes", "litgen_runtime:Upload"
CODES = {"200", "400", "405", "408", "413", "415", "422", "500", "503", "504"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service.toml with two kinds of endpoint, routes of the owner's, and the shutdown API."""
    endpoints = {
        "square": square(),
        "repeat": endpoint("basic:Repeat", "/v1/repeat", "Echo", "Echo"),
        "other_square": square("/v1/square"),
        "act": act(),
        "same": endpoint("uploads:Same", "/same") | {"request": BYTES, "response": BYTES, "response_type": "image/png"},
        "later": square("/later", jobs=True),
        "receive": endpoint("uploads:Receive", "/receive", response="Received") | {"request": UPLOAD},
    }
    extended = {"configure": f"{SERVICES}.web:extended"}
    webhooks = {"secrets": "env:HOOK_KEYS", "allow_hosts": ["127.0.0.1"], "allow_http": True, "allow_private": True}
    webhooks |= {"ports": [9], "schedule_s": [0]}
    folder = tmp_path_factory.mktemp("contract")
    return config(folder, endpoints, extended, {"api": True}, webhooks=webhooks)


@pytest.fixture(scope="module")
def service(path: Path) -> Iterator[Running]:
    """It, running."""
    with serving(path, env={"SHUTDOWN_API_KEY": "not-to-be-guessed", "HOOK_KEYS": SECRET}) as running:
        yield running
        assert "inside the runtime" not in running.log()


def run(command: str, path: Path, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command of the service."""
    return subprocess.run(
        [sys.executable, "-m", "litgen_runtime", command, "--config", path, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_endpoint_is_typed(service: Running) -> None:
    """Request, response and every error code of each endpoint have a schema."""
    document = service.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, request, response in (
        ("/square", "Number", "Number"),
        ("/v1/repeat", "Echo", "Echo"),
        ("/act", "Command", "Answer"),
    ):
        operation = document["paths"][path]["post"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert body.rpartition("/")[2].startswith(request)
        assert set(operation["responses"]) == CODES | {"default"}
        for code, answer in operation["responses"].items():
            kind = "application/json" if code == "200" else "application/problem+json"
            name = answer["content"][kind]["schema"]["$ref"].rpartition("/")[2]
            assert name in document["components"]["schemas"]
            assert code != "200" or name.startswith(response)


def test_jobs_are_described(service: Running) -> None:
    """An endpoint that takes jobs says so, and the routes of jobs are there."""
    paths = service.get("/openapi.json").json()["paths"]
    later = paths["/later"]["post"]
    assert set(later["responses"]) == CODES | {"202", "429", "default"}
    for word in ("does not match", "Idempotency-Key was used", "Webhook-Url is not called"):
        assert word in later["responses"]["422"]["description"]
    wishes = {"Prefer", "Idempotency-Key", "Job-TTL", "Cancel-After", "Job-Retry", "Webhook-Url", "Webhook-Events"}
    assert {parameter["name"] for parameter in later["parameters"]} > wishes
    assert not {parameter["name"] for parameter in paths["/square"]["post"]["parameters"]} & wishes
    parts = {path.removeprefix("/v1/jobs") for path in paths if path.startswith("/v1/jobs")}
    of_one = {"", "/result", "/events", "/cancel", "/retry", "/deliveries"}
    assert parts == {"", *(f"/{{id}}{part}" for part in of_one)}
    assert set(paths["/v1/jobs/{id}"]["get"]["responses"]) >= {"200", "304", "410"}
    assert set(paths["/v1/deliveries/{id}/redeliver"]["post"]["responses"]) >= {"202", "404"}


def test_bodies_of_any_type_are_described(service: Running) -> None:
    """What an endpoint takes and gives that is no JSON stands there with its media types, and a full disk as well."""
    paths = service.get("/openapi.json").json()["paths"]
    same, receive = paths["/same"]["post"], paths["/receive"]["post"]
    assert set(same["requestBody"]["content"]) == {"application/octet-stream", "*/*"}
    assert set(receive["requestBody"]["content"]) == {"application/octet-stream", "*/*", "multipart/form-data"}
    assert set(same["responses"]["200"]["content"]) == {"image/png"}
    assert set(receive["responses"]["200"]["content"]) == {"application/json"}
    assert set(same["responses"]) == set(receive["responses"]) == CODES | {"507", "default"}


def test_probes_are_described(service: Running) -> None:
    """Each probe has its codes."""
    paths = service.get("/openapi.json").json()["paths"]
    assert set(paths["/livez"]["get"]["responses"]) == {"200", "405"}
    assert set(paths["/readyz"]["get"]["responses"]) == {"200", "405", "503"}
    assert set(paths["/health"]["get"]["responses"]) == {"200", "405", "503"}


def test_every_reference_resolves(service: Running) -> None:
    """No $ref of the document leads nowhere, and operation ids are unique."""
    text = service.get("/openapi.json").text
    document = json.loads(text)
    for reference in re.findall(r'"\$ref":\s*"#/([^"]+)"', text):
        node: Any = document
        for part in reference.split("/"):
            node = node[part]
    ids = re.findall(r'"operationId":\s*"([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_docs_load_nothing_from_elsewhere(service: Running) -> None:
    """/docs and everything it loads come from the service itself."""
    page = service.get("/docs")
    assert page.status_code == 200
    links = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assets = [link for link in links if not link.startswith("data:")]
    assert len(assets) >= 2
    for link in assets:
        assert link.startswith("/docs/"), link
        assert service.get(link).status_code == 200
    assert not re.search(r"https?://(?!127\.0\.0\.1)", page.text)
    assert "/openapi.json" in page.text


def test_the_owners_routes(service: Running) -> None:
    """A configure hook's routes and middleware work, and are in the contract."""
    answer = service.get("/typed/3")
    assert (answer.json(), answer.headers["x-stamp"]) == (3, "owner")
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert "/typed/{number}" in service.get("/openapi.json").json()["paths"]


def test_the_owners_middleware_guards_the_endpoints_too(tmp_path: Path) -> None:
    """Middleware sees every request, those of the model included, and only the probes are past it."""
    path = config(tmp_path, {"x": square("/x")}, {"configure": f"{SERVICES}.web:guarded"})
    with serving(path) as service:
        assert [service.get(probe).status_code for probe in ("/livez", "/readyz", "/health")] == [200, 200, 200]
        for url in ("/x", "/docs", "/openapi.json", "/nowhere"):
            assert httpx.post(service.url + url, json={"x": 3}).status_code == 401
        key = {"Authorization": "Bearer let-me-in"}
        answer = httpx.post(service.url + "/x", json={"x": 3}, headers=key)
        assert (answer.status_code, answer.json()) == (200, {"x": 9.0})
        assert httpx.get(service.url + "/openapi.json", headers=key).status_code == 200


def test_errors_of_the_owners_routes(service: Running) -> None:
    """What the owner's routes raise or refuse is a problem document too, without internals."""
    teapot = service.get("/teapot")
    assert_problem(teapot, 418, "error")
    assert teapot.headers["x-pot"] == "tea"
    assert_problem(service.get("/typed/three"), 422, "invalid-input")
    assert_problem(httpx.post(service.url + "/typed/3"), 405, "method-not-allowed")
    broken = service.get("/broken")
    assert "secret" not in broken.text
    assert_problem(broken, 500, "internal-error")
    service.wait_log("a secret word")


def test_the_http_process_stays_light(service: Running) -> None:
    """The HTTP process has never seen a model's module, torch or numpy."""
    modules = set(service.get("/modules").json())
    assert "fastapi" in modules
    assert modules.isdisjoint({"torch", "numpy", f"{SERVICES}.basic", f"{SERVICES}.actions"})
    assert "torch" not in Path(f"/proc/{service.http_pid}/maps").read_text()


def test_a_worker_stays_off_the_web(service: Running) -> None:
    """A worker has neither FastAPI nor a server, and the supervisor and guardian have none of the owner's code."""
    modules = set(service.post("/act", {"do": "modules"}).json()["value"])
    assert f"{SERVICES}.actions" in modules
    assert modules.isdisjoint({"fastapi", "starlette", "uvicorn", "uvloop", "httptools", "torch", "click"})
    for pid in (service.pid, service.guardian_pid):
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "torch" not in maps
        assert "numpy" not in maps


def test_openapi_command(service: Running, path: Path) -> None:
    """`openapi` prints what the service serves."""
    done = run("openapi", path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == service.get("/openapi.json").json()


def test_routes_command(path: Path) -> None:
    """`routes` lists each endpoint with what serves it."""
    done = run("routes", path)
    assert done.returncode == 0
    for word in ("POST /square", "/v1/repeat", f"{SERVICES}.basic:Repeat", "timeout 30 s", "/readyz", "POST /shutdown"):
        assert word in done.stdout


def test_check_command(path: Path) -> None:
    """`check` says that all is well, exit 0."""
    done = run("check", path, "--without-keys")
    assert (done.returncode, done.stderr) == (0, "")
    assert "7 endpoints, all well" in done.stdout


def test_check_finds_problems(tmp_path: Path) -> None:
    """`check` names every endpoint that could not start, exit 1."""
    wrong = endpoint("loading:WrongRequest", "/a", "Number", "Number")
    gone = endpoint("nowhere:Model", "/b", "Number", "Number")
    broken = {**square("/c"), "request": f"{SERVICES}.broken_schemas:Number"}
    done = run("check", config(tmp_path, {"wrong": wrong, "gone": gone, "broken": broken, "good": square("/d")}))
    assert done.returncode == 1
    assert "endpoints.wrong.request" in done.stderr
    assert "endpoints.gone.handler" in done.stderr
    assert "endpoints.broken: Traceback" in done.stderr
    assert "endpoints.good" not in done.stderr


@pytest.mark.parametrize("leaves", [0, 1])
def test_check_survives_a_module_that_leaves(tmp_path: Path, leaves: int) -> None:
    """A module that calls sys.exit is a problem, not the end of the check."""
    (tmp_path / "leaving.py").write_text(f"import sys\nsys.exit({leaves})\n")
    bad = {**square(), "handler": "leaving:Model"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "litgen_runtime", "check", "--config", config(tmp_path, {"bad": bad})],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "endpoints.bad: Traceback" in done.stderr


def test_check_warns_of_heavy_schemas(tmp_path: Path) -> None:
    """`check` warns when a schemas module pulls torch into the HTTP process, and still says that it works."""
    (tmp_path / "torch.py").write_text('"""Heavy."""\n')
    (tmp_path / "schemas.py").write_text(
        "import torch\nfrom pydantic import BaseModel\n\n\nclass Number(BaseModel):\n    x: float\n"
    )
    (tmp_path / "model.py").write_text(
        "from litgen_runtime import Endpoint\nfrom schemas import Number\n\n\n"
        "class Same(Endpoint[Number, Number]):\n    def predict(self, request):\n        return request\n"
    )
    table = {"handler": "model:Same", "request": "schemas:Number", "response": "schemas:Number", "path": "/same"}
    done = run("check", config(tmp_path, {"same": table}), cwd=tmp_path)
    assert done.returncode == 0
    assert "warning: schemas imports torch" in done.stderr


def test_schemathesis_finds_nothing(service: Running, tmp_path: Path) -> None:
    """Every check of schemathesis that applies, over the service's own contract, passes."""
    program = shutil.which("schemathesis", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program is not None, "schemathesis is not installed; it is one of the extra dev"
    excluded = {
        # /act answers what it is told to, 500 and dead workers included: it is the other tests' tool.
        "--exclude-path": ["/act"],
        # The owner's routes are there to misbehave; FastAPI describes them, not we.
        "--exclude-path-regex": ["^/(typed|teapot|broken|modules)"],
    }
    # A client that allows no time at all is answered 504, as the contract says.
    statuses = '["2xx", "3xx", "4xx", "504"]'
    # Only one host may be called, which no schema says.
    hook = "\n".join(
        ["[[operations]]", 'include-path = "/later"', 'parameters = { "header.Webhook-Url" = "http://127.0.0.1:9/" }\n']
    )
    # Headers that nobody knows are no mistake in HTTP.
    extra = '[[operations]]\ninclude-path-regex = "later|jobs"\ngeneration.allow-extra-parameters = false\n'
    checks = f"[checks]\nnot_a_server_error.expected-statuses = {statuses}\n"
    (tmp_path / "schemathesis.toml").write_text(checks + extra + hook)
    done = subprocess.run(
        [
            program,
            *("run", service.url + "/openapi.json", "--max-examples", "25", "--seed", "7", "--workers", "1"),
            *("--checks", "all", "--no-color", "--phases", "examples,coverage,fuzzing"),
            *(word for option, values in excluded.items() for value in values for word in (option, value)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert service.get("/readyz").status_code == 200
