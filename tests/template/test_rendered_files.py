"""Every other file of every render: what it holds, and what the outside judges of its format say."""

import math
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from litgen_runtime.settings import load
from tests.template.matrix import Row
from tests.template.rendering import Render, run
from tests.template.started import predictions

pytestmark = pytest.mark.timeout(300)

YAMLLINT = """
extends: default
rules:
  line-length: {max: 120}
  document-start: disable
  truthy: {check-keys: false}
  comments: {min-spaces-from-content: 1}
"""
ALWAYS = [
    *(".copier-answers.yml", ".gitattributes", ".gitignore", ".litgen/template.bundle"),
    *(".pre-commit-config.yaml", "Makefile", "README.md", "pyproject.toml", "service.toml"),
    *("tests/conftest.py", "tests/test_service.py", "vendor/README.md"),
]
DOCKER = [".dockerignore", "Dockerfile", "compose.yaml"]
BASE = "deploy/kubernetes/base"
KUBERNETES = ["deploy/kubernetes/kustomization.yaml"]
KUBERNETES += [f"{BASE}/{name}.yaml" for name in ("deployment", "kustomization", "service")]
WORKFLOW = [".github/workflows/ci.yml"]
JOBS = ["examples/client.py", "tests/test_jobs.py"]


def judge(name: str) -> Path:
    """Return a command that is installed beside this Python."""
    return Path(sys.executable).with_name(name)


def every(renders: list[Render], pattern: str) -> list[Path]:
    """Return the files of all renders that a pattern finds; there must be some."""
    found = sorted(path for each in renders for path in each.folder.glob(pattern))
    assert found
    return found


def deployment(render: Render) -> dict[str, Any]:
    """Return the pod's specification."""
    document: dict[str, Any] = yaml.safe_load(render.text(f"{BASE}/deployment.yaml"))
    pod: dict[str, Any] = document["spec"]["template"]["spec"]
    return pod


def takes_jobs(render: Render) -> bool:
    """Whether an endpoint takes jobs."""
    return any(endpoint.get("jobs") for endpoint in render.answers["endpoints"])


def sends_webhooks(render: Render) -> bool:
    """Whether somebody can be told of jobs."""
    return takes_jobs(render) and bool(render.answers.get("webhooks"))


def secrets_of(render: Render) -> list[str]:
    """The variables that hold secrets."""
    known = {
        "API_KEYS": render.answers["api_keys"],
        "WEBHOOK_SECRETS": sends_webhooks(render),
        "SHUTDOWN_API_KEY": render.answers["shutdown_api"],
    }
    return [name for name, is_wanted in known.items() if is_wanted]


def has_schemas(endpoint: Row) -> bool:
    """Whether an endpoint's request or response is JSON, and so has a model."""
    return "json" in (endpoint.get("input", "json"), endpoint.get("output", "json"))


def test_each_choice_has_its_files_and_no_others(renders: list[Render]) -> None:
    """What a choice does not need is not there, and no name is left half rendered."""
    for each in renders:
        names = [endpoint["name"] for endpoint in each.answers["endpoints"]]
        source = f"src/{each.package}"
        wheel = next(each.file("vendor").glob("*.whl")).name
        expected = {
            *ALWAYS,
            *(DOCKER if each.answers.get("deployment") != "none" else []),
            *(KUBERNETES if each.answers.get("deployment", "kubernetes") == "kubernetes" else []),
            *(WORKFLOW if each.answers.get("ci", "github") == "github" else []),
            *([".env.example"] if secrets_of(each) else []),
            *(f"{source}/{name}" for name in ("__init__.py", "py.typed", "endpoints/__init__.py")),
            *(f"{source}/endpoints/{n}/{f}.py" for n in names for f in ("__init__", "model")),
            *(f"{source}/endpoints/{e['name']}/schemas.py" for e in each.answers["endpoints"] if has_schemas(e)),
            *(f"tests/endpoints/test_{name}.py" for name in names),
            *(["tests/test_keys.py"] if each.answers["api_keys"] else []),
            *(JOBS if takes_jobs(each) else []),
            *(["examples/receiver.py"] if sends_webhooks(each) else []),
            *([f"{BASE}/volume.yaml"] if takes_jobs(each) and each.file("deploy").exists() else []),
            f"vendor/{wheel}",
        }
        files = {path.relative_to(each.folder).as_posix() for path in each.folder.rglob("*") if path.is_file()}
        assert files == expected


def test_every_text_is_tidy(renders: list[Render]) -> None:
    """No trailing blanks, no missing or doubled empty line, nothing left of the template's own language."""
    for each in renders:
        for path in each.folder.rglob("*"):
            if not path.is_file() or path.suffix in (".whl", ".bundle"):
                continue
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"[ \t]+$", text, re.MULTILINE), path
            assert not text or (text.endswith("\n") and not text.endswith("\n\n")), path
            assert not re.search(r"{%|{#|(?<!\$){{", text), path
            assert path.suffix == ".py" or "\n\n\n" not in text, path


def test_the_service_takes_its_settings_as_they_were_answered(renders: list[Render]) -> None:
    """The runtime reads every service.toml, and finds in it what was answered."""
    for each in renders:
        settings = load(each.file("service.toml"), environ={})
        assert settings.shutdown.api == each.answers["shutdown_api"]
        assert settings.auth.keys == ("env:API_KEYS" if each.answers["api_keys"] else False)
        assert settings.webhooks.secrets == ("env:WEBHOOK_SECRETS" if sends_webhooks(each) else False)
        assert ("jobs" in tomllib.loads(each.text("service.toml"))) == takes_jobs(each)
        assert settings.shutdown.drain_timeout_s == each.answers.get("drain_timeout_s", 30.0)
        for answer in each.answers["endpoints"]:
            endpoint = settings.endpoints[answer["name"]]
            timeout = answer.get("timeout_s", 30.0)
            assert endpoint.path == answer.get("path", f"/{answer['name']}")
            assert endpoint.timeout_s == (None if timeout in (False, -1) else timeout)
            limit = answer.get("run_limit_s")
            assert endpoint.run_limit_s == ("auto" if limit is None else None if limit in (False, -1) else limit)
            assert ("run_limit_s" in tomllib.loads(each.text("service.toml"))["endpoints"][answer["name"]]) == (
                limit is not None
            )
            assert ("# run_limit_s = " in each.text("service.toml")) == any(
                other.get("jobs") and other.get("run_limit_s") is None for other in each.answers["endpoints"]
            )
            assert endpoint.workers.devices == answer.get("devices", "auto")
            assert endpoint.workers.per_device == answer.get("workers_per_device", 1)
            assert endpoint.workers.gpu_memory_fraction == answer.get("gpu_memory_fraction")
            assert endpoint.queue.max_size == answer.get("queue_max_size", 1024)
            assert endpoint.jobs == answer.get("jobs", False)
            assert (endpoint.batching is None) == (answer.get("kind", "batch") != "batch")
            assert (endpoint.streaming is None) == (answer.get("kind", "batch") != "stream")
            if endpoint.batching:
                assert endpoint.batching.max_size == answer.get("max_batch_size", 32)
                assert endpoint.batching.max_wait_s == answer.get("max_wait_s", 0.002)
            if endpoint.streaming:
                assert endpoint.streaming.max_streams == answer.get("max_streams", 32)


def test_the_service_takes_and_gives_what_was_answered(renders: list[Render]) -> None:
    """service.toml names the types of the model's class; uploads have a limit where there are any."""
    for each in renders:
        inputs = {answer.get("input", "json") for answer in each.answers["endpoints"]}
        assert ("max_upload_bytes" in each.text("service.toml")) == (inputs != {"json"})
        for answer in each.answers["endpoints"]:
            endpoint = load(each.file("service.toml"), environ={}).endpoints[answer["name"]]
            schemas = f"{each.package}.endpoints.{answer['name']}.schemas:"
            request = {"bytes": "builtins:bytes", "upload": "litgen_runtime:Upload"}.get(answer.get("input", "json"))
            assert endpoint.request == request or (request is None and endpoint.request.startswith(schemas))
            if answer.get("output", "json") == "bytes":
                assert endpoint.response == "builtins:bytes"
                assert endpoint.response_type == answer.get("response_type", "application/octet-stream")
            else:
                assert endpoint.response.startswith(schemas)


def test_pyproject_holds_what_was_answered(renders: list[Render]) -> None:
    """The description survives TOML; torch is asked for only where an endpoint uses it; the pin is the wheel's."""
    for each in renders:
        document = tomllib.loads(each.text("pyproject.toml"))
        project = document["project"]
        frameworks = {endpoint.get("framework", "torch") for endpoint in each.answers["endpoints"]}
        assert project["name"] == each.answers["service_name"]
        assert project["description"] == each.answers.get("description", project["description"])
        assert any(word.startswith("torch==") for word in project["dependencies"]) == ("torch" in frameworks)
        assert each.file(document["tool"]["uv"]["sources"]["litgen-runtime"]["path"]).is_file()
        assert project["dependencies"][0].removeprefix("litgen-runtime==") in next(
            path.name for path in each.file("vendor").glob("*.whl")
        )


def test_one_python_is_named_everywhere(renders: list[Render]) -> None:
    """The image, CI and what may install the service have the Python that was answered."""
    for each in renders:
        python = each.answers.get("python_version", "3.11")
        assert tomllib.loads(each.text("pyproject.toml"))["project"]["requires-python"] == f">={python}"
        assert f"They need Python {python} or newer" in each.text("README.md")
        if each.file("Dockerfile").exists():
            assert f"ARG PYTHON_VERSION={python}\n" in each.text("Dockerfile")
        if each.file(".github").exists():
            jobs = yaml.safe_load(each.text(".github/workflows/ci.yml"))["jobs"]
            (step,) = (step for step in jobs["check"]["steps"] if "setup-python" in step.get("uses", ""))
            assert step["with"]["python-version"] == python


def test_large_bodies_have_a_folder_of_their_own(renders: list[Render]) -> None:
    """The root file system is read-only: what is uploaded waits in a volume, which is bounded."""
    for each in renders:
        endpoints = [answer for answer in each.answers["endpoints"] if answer.get("input", "json") != "json"]
        if each.file("compose.yaml").exists():
            service = yaml.safe_load(each.text("compose.yaml"))["services"][each.answers["service_name"]]
            volumes = [f"/var/tmp:size={len(endpoints)}g"] if endpoints else []
            assert service["tmpfs"] == ["/tmp", *volumes]
            assert service.get("environment", {}).get("TMPDIR") == ("/var/tmp" if endpoints else None)
        if each.file("deploy").exists():
            pod = deployment(each)
            env = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
            paths = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
            sizes = {volume["name"]: volume.get("emptyDir", {}).get("sizeLimit") for volume in pod["volumes"]}
            assert paths.keys() == sizes.keys()
            assert env.get("TMPDIR") == paths.get("bodies") == ("/var/tmp" if endpoints else None)
            assert sizes.get("bodies") == (f"{len(endpoints)}Gi" if endpoints else None)


def test_what_jobs_keep_outlasts_the_container(renders: list[Render]) -> None:
    """A folder of the service's own in a volume, for one container at a time; without jobs there is none."""
    for each in renders:
        if each.file("compose.yaml").exists():
            compose = yaml.safe_load(each.text("compose.yaml"))
            service = compose["services"][each.answers["service_name"]]
            assert service.get("volumes") == (["jobs:/app/var"] if takes_jobs(each) else None)
            assert compose.get("volumes") == ({"jobs": None} if takes_jobs(each) else None)
            assert ("chown 10001:10001 var" in each.text("Dockerfile")) == takes_jobs(each)
        if each.file("deploy").exists():
            document = yaml.safe_load(each.text(f"{BASE}/deployment.yaml"))["spec"]
            pod = deployment(each)
            claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if volume["name"] == "jobs"]
            mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
            assert (document["strategy"] == {"type": "Recreate"}) == takes_jobs(each)
            assert mounts.get("jobs") == ("/app/var" if takes_jobs(each) else None)
            assert pod["securityContext"].get("fsGroup") == (10001 if takes_jobs(each) else None)
            assert document["replicas"] == 1
            if takes_jobs(each):
                volume = yaml.safe_load(each.text(f"{BASE}/volume.yaml"))
                assert claims == [{"claimName": volume["metadata"]["name"]}]
                assert volume["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_the_readme_shows_every_endpoint_and_links_to_files_that_are_there(renders: list[Render]) -> None:
    """The description comes first, each endpoint has its own curl line, and no link is broken."""
    for each in renders:
        text = each.text("README.md")
        unescaped = re.sub(r"\\([*#|\[\]])", r"\1", text)
        assert each.answers.get("description", "") in unescaped
        asked = [next(word for word in shlex.split(line) if "://" in word) for line in predictions(text)]
        paths = [endpoint.get("path", f"/{endpoint['name']}") for endpoint in each.answers["endpoints"]]
        assert asked == [f"http://127.0.0.1:8000{path}" for path in paths]
        for target in re.findall(r"(?<!\\)\]\(([^)#]+)\)", text):
            assert each.file(target).is_file()


def test_secrets_are_listed_where_they_are_given(renders: list[Render]) -> None:
    """The example of .env has each of them once, without a value, and compose names them."""
    for each in renders:
        if secrets_of(each):
            lines = each.text(".env.example").splitlines()
            assert [line for line in lines if line and line[0] != "#"] == [f"{name}=" for name in secrets_of(each)]
        if each.file("compose.yaml").exists():
            told = f"path: .env # {', '.join(secrets_of(each))}; .env.example shows how\n"
            assert (told in each.text("compose.yaml")) == bool(secrets_of(each))


def test_a_pod_that_wants_a_secret_is_told_of_it_first(renders: list[Render]) -> None:
    """The commands of the README start a pod: where it reads a key, they make the key's secret before."""
    for each in renders:
        if each.file("deploy").exists():
            before = each.text("README.md").partition("kubectl apply")[0]
            env = {entry["name"]: entry for entry in deployment(each)["containers"][0]["env"]}
            wanted = [entry["valueFrom"]["secretKeyRef"] for entry in env.values() if "valueFrom" in entry]
            assert before.count("kubectl create secret generic") == len(wanted)
            for secret in wanted:
                made = f"kubectl create secret generic {secret['name']} --from-literal={secret['key']}="
                assert made in before


def test_a_pod_whose_secrets_stand_in_files(renders: list[Render]) -> None:
    """It starts without the Secret of a variable that service.toml no longer names, and the README says so."""
    for each in renders:
        if each.file("deploy").exists():
            env = {entry["name"]: entry for entry in deployment(each)["containers"][0]["env"]}
            secrets = {name: entry["valueFrom"]["secretKeyRef"] for name, entry in env.items() if "valueFrom" in entry}
            lax = {name for name, secret in secrets.items() if secret.get("optional")}
            assert lax == secrets.keys() - {"SHUTDOWN_API_KEY"}  # without which nobody would know the key
            assert ("needs no Secret" in each.text("README.md")) == bool(lax)


def test_an_image_listens_where_its_port_is_published(renders: list[Render]) -> None:
    """An address in service.toml for this machine only would leave the container unreachable."""
    for each in renders:
        if each.file("Dockerfile").exists():
            assert "LITGEN__SERVICE__HOST=0.0.0.0 LITGEN__SERVICE__PORT=8000" in each.text("Dockerfile")


def test_no_text_speaks_of_what_was_not_chosen(renders: list[Render]) -> None:
    """Where neither CI nor Docker was asked for, no command or advice is about them."""
    for each in renders:
        texts = "".join(
            each.text(path) for path in ("Makefile", "README.md", ".env.example") if each.file(path).exists()
        )
        assert each.file("Dockerfile").exists() or not re.search(r"\bdocker", texts, re.IGNORECASE)
        assert each.file(".github").exists() or not re.search(r"\bCI\b", texts)


def test_pods_get_the_time_that_a_drain_needs(renders: list[Render]) -> None:
    """A pod serves on 5 s, drains, stops its workers in 5 s, with 5 s to spare; compose gives no less."""
    for each in renders:
        grace = math.ceil(5 + each.answers.get("drain_timeout_s", 30.0) + 5 + 5)
        if each.file("compose.yaml").exists():
            service = yaml.safe_load(each.text("compose.yaml"))["services"][each.answers["service_name"]]
            assert service["stop_grace_period"] == f"{grace}s"
        if each.file("deploy").exists():
            pod = deployment(each)
            env = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
            assert pod["terminationGracePeriodSeconds"] == grace
            assert env["LITGEN__SHUTDOWN__DELAY_S"] == "5"
            assert ("SHUTDOWN_API_KEY" in env) == each.answers["shutdown_api"]
            assert ("API_KEYS" in env) == each.answers["api_keys"]
            assert ("WEBHOOK_SECRETS" in env) == sends_webhooks(each)


def test_pods_are_probed_where_the_service_answers(renders: list[Render]) -> None:
    """Start and readiness ask whether models have loaded; liveness only whether the process answers."""
    for each in renders:
        if each.file("deploy").exists():
            (container,) = deployment(each)["containers"]
            service = yaml.safe_load(each.text(f"{BASE}/service.yaml"))["spec"]
            assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
            assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
            assert service["ports"][0]["targetPort"] == container["ports"][0]["name"]


@pytest.mark.parametrize(
    ("devices", "gpus"), [("auto", 0), ("cpu", 0), ("mps", 0), ("cuda", 1), ("cuda:0", 1), ("cuda:0,2", 3)]
)
def test_gpus_are_asked_for_when_an_endpoint_names_them(renders: list[Render], devices: str, gpus: int) -> None:
    """A pod and a container get as many GPUs as the highest one that is named."""
    rows = [
        each
        for each in renders
        if each.file("deploy").exists() and each.answers["endpoints"][0].get("devices", "auto") == devices
    ]
    assert rows
    for each in rows:
        limits = deployment(each)["containers"][0]["resources"]["limits"]
        service = yaml.safe_load(each.text("compose.yaml"))["services"][each.answers["service_name"]]
        assert limits.get("nvidia.com/gpu", 0) == gpus
        reserved = service.get("deploy", {"resources": {"reservations": {"devices": [{"count": 0}]}}})
        assert reserved["resources"]["reservations"]["devices"][0]["count"] == gpus


def test_kustomize_finds_what_it_lists(renders: list[Render]) -> None:
    """The entry takes the base, whose resources are files beside it; its image is the deployment's."""
    for each in renders:
        if each.file("deploy").exists():
            entry = yaml.safe_load(each.text("deploy/kubernetes/kustomization.yaml"))
            base = yaml.safe_load(each.text(f"{BASE}/kustomization.yaml"))
            assert [f"deploy/kubernetes/{name}" for name in entry["resources"]] == [BASE]
            assert all(each.file(f"{BASE}/{name}").is_file() for name in base["resources"])
            assert entry["images"][0]["name"] == deployment(each)["containers"][0]["image"]


def test_yamllint_finds_nothing(renders: list[Render]) -> None:
    """Every YAML file that a person may edit is well-formed and tidy."""
    files = [*every(renders, "**/*.yaml"), *every(renders, ".pre-commit-config.yaml")]
    files += every(renders, ".github/workflows/*.yml")
    run(judge("yamllint"), "--strict", "-d", YAMLLINT, *files, cwd=renders[0].folder)


def test_hadolint_finds_nothing(renders: list[Render]) -> None:
    """Every Dockerfile follows the rules of hadolint."""
    run(judge("hadolint"), *every(renders, "Dockerfile"), cwd=renders[0].folder)


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("custom.github-workflows-require-timeout", ".github/workflows/*.yml"),
        ("vendor.compose-spec", "compose.yaml"),
    ],
)
def test_workflows_and_compose_files_fit_their_schemas(renders: list[Render], schema: str, pattern: str) -> None:
    """GitHub and Docker Compose will take the files, and no job can hang for hours."""
    run(judge("check-jsonschema"), "--builtin-schema", schema, *every(renders, pattern), cwd=renders[0].folder)


@pytest.mark.parametrize("name", ["deployment", "service", "volume"])
def test_manifests_fit_kubernetes(renders: list[Render], name: str) -> None:
    """Kubernetes knows every field of the manifests."""
    files = every(renders, f"{BASE}/{name}.yaml")
    run(judge("kubernetes-validate"), "--strict", "--quiet", *files, cwd=renders[0].folder)
