from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from litgen_runtime import __version__
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
