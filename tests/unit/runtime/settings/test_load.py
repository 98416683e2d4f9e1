from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from litgen_runtime.errors import SettingsError
from litgen_runtime.settings import Settings, load
from litgen_runtime.settings.load import validate
from tests.unit.runtime.mini import tables
from tests.unit.runtime.test_service import TOML


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a service.toml without a fault."""
    path = tmp_path / "service.toml"
    path.write_text(TOML)
    return path


def refusal(path: Path, environ: Mapping[str, str] | None = None, **overrides: object) -> str:
    """Return why these choices are refused."""
    with pytest.raises(SettingsError) as refused:
        load(path, environ or {}, overrides)
    return str(refused.value)


def embed(path: Path, variable: str, value: str) -> object:
    """Return the endpoint, one of its keys set by a variable."""
    settings: Settings = load(path, {f"LITGEN__ENDPOINTS__EMBED__{variable}": value})
    return settings.endpoints["embed"]


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("TIMEOUT_S", "60", 60.0),
        ("TIMEOUT_S", "0.5", 0.5),
        ("TIMEOUT_S", "false", None),
        ("TIMEOUT_S", "-1", None),
        ("PATH", "/other", "/other"),
        ("PATH", '"/quoted"', "/quoted"),
    ],
)
def test_environment_wins(path: Path, variable: str, text: str, expected: object) -> None:
    """A variable is read as TOML where it is a TOML value, else as text, and wins over the file."""
    assert getattr(embed(path, variable, text), variable.lower()) == expected


def test_environment_reaches_every_depth(path: Path) -> None:
    """Tables that the file leaves out are made by the environment."""
    environ = {
        "LITGEN__SERVICE__MAX_JSON_BYTES": "1KiB",
        "LITGEN__ENDPOINTS__EMBED__WORKERS__DEVICES": "cuda:0,2",
        "LITGEN__ENDPOINTS__EMBED__BATCHING__MAX_SIZE": "8",
        "LITGEN__SHUTDOWN__API": "true",
    }
    settings = load(path, environ)
    endpoint = settings.endpoints["embed"]
    assert endpoint.batching is not None
    assert (settings.service.max_json_bytes, endpoint.workers.devices) == (1024, "cuda:0,2")
    assert (endpoint.batching.max_size, settings.shutdown.api) == (8, True)


@pytest.mark.parametrize(("name", "hint"), [("NOPE", "The endpoints are: embed."), ("EMBEDS", "Did you mean embed?")])
def test_no_such_endpoint(path: Path, name: str, hint: str) -> None:
    """A variable of an endpoint that is not there is refused by name, once for each variable."""
    variables = [f"LITGEN__ENDPOINTS__{name}__{key}" for key in ("QUEUE__MAX_SIZE", "TIMEOUT_S")]
    lines = refusal(path, dict.fromkeys(variables, "9")).splitlines()
    assert lines == [
        f'{variable} names the endpoint "{name.lower()}", which is not in {path}. {hint} Correct or unset it.'
        for variable in variables
    ]


def test_an_endpoint_of_the_environment_alone(path: Path) -> None:
    """One that the environment gives as a whole is an endpoint."""
    keys = {"HANDLER": "a:B", "REQUEST": "a:C", "RESPONSE": "a:D", "PATH": "/other"}
    settings = load(path, {f"LITGEN__ENDPOINTS__OTHER__{key}": value for key, value in keys.items()})
    assert settings.endpoints["other"].path == "/other"


def test_other_variables_are_ignored(path: Path) -> None:
    """Only the prefix counts; LITGEN_CONFIG is not a key."""
    assert load(path, {"LITGEN_CONFIG": "x", "PORT": "1", "litgen__service__port": "1"}) == load(path, {})


def test_real_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping, the process's own environment is read."""
    monkeypatch.setenv("LITGEN__SERVICE__PORT", "1234")
    assert load(path).service.port == 1234


def test_command_line_wins_over_the_environment(path: Path) -> None:
    """What is typed wins."""
    assert load(path, {"LITGEN__SERVICE__PORT": "1"}, {"service.port": 2}).service.port == 2


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("LITGEN__SERVICE__PORT", "x", 'service.port is "x"; expected a port, 0 to 65535 (0: any free one).'),
        ("LITGEN__SERVICE__PORT", "", 'service.port is ""; expected a port'),
        ("LITGEN__SERVICE__NAME", "2020-01-01", 'service.name is "2020-01-01"; expected lower-case'),
        ("LITGEN__SERVICE__PROT", "1", "service.prot is not a key of this version. Did you mean port?"),
        ("LITGEN__ENDPOINTS__EMBED__TIMEOUT_S", "nan", "endpoints.embed.timeout_s is NaN; expected seconds"),
        ("LITGEN__SHUTDOWN__API", "True", 'shutdown.api is "True"; expected true or false.'),
        ("LITGEN__SERVICE__PORT", "1\nhost = 2", 'service.port is "1\\nhost = 2"; expected a port'),
    ],
)
def test_bad_variable(path: Path, variable: str, text: str, message: str) -> None:
    """A bad variable is told like a bad key, and names the variable as the place to fix."""
    said = refusal(path, {variable: text})
    assert said.startswith(message)
    assert said.endswith(f"Fix it in {variable}.")


def test_variable_below_a_value(path: Path) -> None:
    """A variable that needs a table where there is a value is refused, naming both."""
    said = refusal(path, {"LITGEN__SERVICE__NAME__X": "1"})
    assert said == "LITGEN__SERVICE__NAME__X sets service.name.x, but name is not a table. Remove one of the two."


def test_advice_names_the_variable(path: Path) -> None:
    """A combination that cannot work names the place that the offending half came from."""
    variable = "LITGEN__ENDPOINTS__EMBED__BATCHING__MAX_WAIT_S"
    assert refusal(path, {variable: "31"}).endswith(f"Lower it or raise timeout_s in {variable}.")


def test_an_unknown_table_of_the_environment(path: Path) -> None:
    """The place to fix is the variable that made it."""
    message = refusal(path, {"LITGEN__JOBZ__X": "1"})
    assert message == "jobz is not a key of this version. Did you mean jobs? Fix it in LITGEN__JOBZ__X."


def test_no_file(tmp_path: Path) -> None:
    """A missing file says which, and the ways to name another."""
    said = refusal(tmp_path / "absent.toml")
    assert said.startswith(f"{tmp_path / 'absent.toml'} does not exist; expected the service's choices there.")
    assert "--config or LITGEN_CONFIG" in said


@pytest.mark.parametrize("content", [b"[service", b"\xff", b"a = 1\na = 2"])
def test_not_toml(path: Path, content: bytes) -> None:
    """What is not TOML says where it breaks."""
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path} cannot be read as TOML: ")


def test_a_folder(tmp_path: Path) -> None:
    """A folder in the file's place is an ordinary error."""
    assert refusal(tmp_path).startswith(f"{tmp_path} cannot be read as TOML: ")


@pytest.mark.parametrize(
    ("table", "key", "hint"),
    [
        ([], "servise", "Did you mean service?"),
        (["service"], "max_json_byte", "Did you mean max_json_bytes?"),
        (["endpoints", "embed"], "timeout", "Did you mean timeout_s?"),
        (["endpoints", "embed", "workers"], "per_devise", "Did you mean per_device?"),
        (["shutdown"], "zzz", "Known here: drain_timeout_s, delay_s, api."),
        (["endpoints", "embed", "batching"], "qqq", "Known here: max_size, max_wait_s, max_weight."),
        (["endpoints", "embed"], "priority", "Known here: handler, request, response, path, response_type, "),
    ],
)
def test_unknown_key(table: list[str], key: str, hint: str) -> None:
    """An unknown key is refused with the nearest known one, or the list of them."""
    raw = inner = tables()
    for name in table:
        inner = inner.setdefault(name, {})
    inner[key] = 1
    with pytest.raises(SettingsError) as refused:
        validate(raw, "service.toml")
    dotted = ".".join([*table, key])
    assert str(refused.value).startswith(f"{dotted} is not a key of this version. {hint}")


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ("service", "service is missing; expected a table with name, host, port"),
        ("endpoints", "endpoints is missing; expected at least one table [endpoints.NAME]. Add it to service.toml."),
    ],
)
def test_missing_table(gone: str, expected: str) -> None:
    """A missing table says what it should hold."""
    raw = tables()
    del raw[gone]
    with pytest.raises(SettingsError) as refused:
        validate(raw, "service.toml")
    assert str(refused.value).startswith(expected)


def test_no_endpoints() -> None:
    """A service without an endpoint is refused."""
    with pytest.raises(SettingsError, match=r"^endpoints is \{\}; expected at least one table \[endpoints.NAME\]"):
        validate(tables() | {"endpoints": {}}, "service.toml")


def test_all_problems_at_once() -> None:
    """Every problem has a line, so that an owner fixes them in one go."""
    raw = tables(timeout_s="soon", path="x")
    raw["service"]["port"] = "y"
    del raw["endpoints"]["embed"]["handler"]
    with pytest.raises(SettingsError) as refused:
        validate(raw, "service.toml")
    keys = {line.split(" ")[0] for line in str(refused.value).splitlines()}
    assert keys == {
        "service.port",
        "endpoints.embed.timeout_s",
        "endpoints.embed.path",
        "endpoints.embed.handler",
    }
