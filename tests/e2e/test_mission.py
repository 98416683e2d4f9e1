"""The mission's sentence as one test, with real programs and a real installation."""

import math
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from litgen_generator.release.carried import is_released
from litgen_generator.release.current import current
from tests.e2e.changing import Owner
from tests.template.rendering import run
from tests.template.started import started

MODEL = "src/svc/endpoints/embed/model.py"
PYTHON_ONLY = "name=third,framework=python,devices=cpu"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_repository_over_its_versions(old_owner: Owner, tmp_path: Path) -> None:
    """New, edit, add-endpoint, commit, template fetch, plain `copier update`, install, boot, answer."""
    owner = old_owner
    owner.edits(MODEL, "return [value / length for value in total]", "return [2 * value / length for value in total]")
    owner.edits("service.toml", 'path = "/embed"', 'path = "/v1/embed"')
    owner.does("add-endpoint", "--endpoint", PYTHON_ONLY)
    owner.commits()
    owner.does("template", "fetch", "--commit")
    unreleased = () if is_released(current().tag) else ("--prereleases",)
    done = owner.workplace.run(sys.executable, "-m", "copier", "update", "--defaults", *unreleased, cwd=owner.project)
    assert done.returncode == 0, done.stderr
    assert owner.git("diff", "--name-only", "--diff-filter=U") == ""
    answers = yaml.safe_load(owner.text(".copier-answers.yml"))
    assert answers["_commit"] == current().tag
    assert [each["name"] for each in answers["endpoints"]] == ["embed", "rank", "third"]

    run("make", ".venv/installed", cwd=owner.project)
    program = owner.project / ".venv" / "bin" / "svc"
    command = (program, "serve", "--host", "127.0.0.1", "--port", "0")
    with started(*command, cwd=owner.project, log_path=tmp_path / "log", env={}) as service:
        for path, length in (("/v1/embed", 2), ("/rank", 1), ("/third", 1)):
            answer = httpx.post(service.url + path, json={"text": "a quick brown fox"}, timeout=30)
            assert answer.status_code == 200, answer.text
            assert math.isclose(math.hypot(*answer.json()["vector"]), length)
        assert service.terminate() == 0
