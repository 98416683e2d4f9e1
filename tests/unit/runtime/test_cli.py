from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from litgen_runtime import __version__
from litgen_runtime.api_keys import read
from litgen_runtime.cli import main
from tests.unit.runtime.test_service import TOML


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a service.toml without a fault."""
    path = tmp_path / "service.toml"
    path.write_text(TOML)
    return path


def call(*arguments: object, env: dict[str, str] | None = None) -> Result:
    """Return what a command line does."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)


def test_version() -> None:
    """--version says which runtime this is."""
    assert call("--version").output == f"litgen-runtime {__version__}\n"


def test_routes(config: Path) -> None:
    """``routes`` lists the endpoints with what serves them, then the service's own paths."""
    output = call("routes", "--config", config).output
    assert "POST /embed  embed  tests.unit.runtime.mini:Many" in output
    assert "workers per device: 1, devices: auto, one at a time, timeout 30 s, queue of 1024" in output
    assert "GET  /livez /readyz /health /metrics /docs" in output
    assert "POST /shutdown" not in output


def test_config_from_the_environment(config: Path) -> None:
    """LITGEN_CONFIG names the file, LITGEN__ variables win over it."""
    env = {"LITGEN_CONFIG": str(config), "LITGEN__SHUTDOWN__API": "true"}
    assert "POST /shutdown" in call("routes", env=env).output


def test_guarded_routes(config: Path) -> None:
    """With keys, ``routes`` says who may use what; the keys themselves are not needed for that."""
    env = {"LITGEN__AUTH__KEYS": "env:NOT_SET"}
    assert "     needs a key\n" in call("routes", "--config", config, env=env).output
    named = env | {"LITGEN__ENDPOINTS__EMBED__AUTH": '["alice", "bob"]'}
    assert "needs a key of alice, bob\n" in call("routes", "--config", config, env=named).output
    opened = env | {"LITGEN__ENDPOINTS__EMBED__AUTH": "false"}
    assert "open: needs no key\n" in call("routes", "--config", config, env=opened).output
    assert "key" not in call("routes", "--config", config).output


def test_check_reads_the_keys(config: Path) -> None:
    """``check`` refuses keys that are not there, unless it is told to go without."""
    env = {"LITGEN__AUTH__KEYS": "env:NOT_SET"}
    result = call("check", "--config", config, env=env)
    assert (result.exit_code, "there is no such variable" in result.output) == (3, True)
    assert call("check", "--config", config, "--without-keys", env=env).exit_code == 0
    named = env | {"LITGEN__ENDPOINTS__EMBED__AUTH": '["bob"]', "NOT_SET": "alice:0123456789abcdef"}
    result = call("check", "--config", config, env=named)
    assert (result.exit_code, "warning: endpoints.embed.auth names bob" in result.output) == (0, True)


def test_check_reads_the_secrets_of_webhooks(config: Path) -> None:
    """``check`` refuses secrets that the service would end for; without jobs it would not."""
    env = {"LITGEN__WEBHOOKS__SECRETS": "file:none"}
    assert call("check", "--config", config, env=env).exit_code == 0
    env |= {"LITGEN__ENDPOINTS__EMBED__JOBS": "true"}
    result = call("check", "--config", config, env=env)
    assert (result.exit_code, 'webhooks.secrets is "file:' in result.output) == (3, True)
    assert call("check", "--config", config, "--without-keys", env=env).exit_code == 0


def test_routes_of_jobs(config: Path) -> None:
    """``routes`` says which endpoint takes jobs, and where they are asked after."""
    assert "jobs" not in call("routes", "--config", config).output
    output = call("routes", "--config", config, env={"LITGEN__ENDPOINTS__EMBED__JOBS": "true"}).output
    assert "     takes jobs (Prefer: respond-async)\n" in output
    assert "GET  /v1/jobs and what is below it, of each job\n" in output


def test_a_file_of_keys_stands_beside_service_toml(config: Path) -> None:
    """Its path counts from service.toml, not from where the command is run."""
    env = {"LITGEN__AUTH__KEYS": "file:keys/all"}
    (config.parent / "keys").mkdir()
    (config.parent / "keys" / "all").write_text("alice:0123456789abcdef")
    assert call("check", "--config", config, env=env).exit_code == 0
    (config.parent / "keys" / "all").unlink()
    assert call("check", "--config", config, env=env).exit_code == 3


def test_a_new_key() -> None:
    """``keys new`` prints a key and the entry that the service is given, which lets it in; a bad name is usage."""
    key, entry = call("keys", "new", "alice").stdout.splitlines()
    assert read("env:A", {"A": entry}).owner(key.encode()) == "alice"
    assert call("keys", "new", "a:b").exit_code == 2


def test_openapi(config: Path) -> None:
    """``openapi`` prints the document."""
    assert json.loads(call("openapi", "--config", config).output)["paths"]["/embed"]


def test_bad_choice_ends_with_3(config: Path) -> None:
    """A service that could never start ends every command with 3 and the sentence, without a traceback."""
    result = call("routes", "--config", config, env={"LITGEN__SERVICE__PORT": "x"})
    assert result.exit_code == 3
    assert 'service.port is "x"; expected a port' in result.output
    assert "LITGEN__SERVICE__PORT" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [["serve", "--port", "70000"], ["serve", "--fd", "1"], ["nonsense"]])
def test_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    """A wrong command line is a usage error."""
    assert call(*arguments).exit_code == 2
